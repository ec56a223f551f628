"""Exporting a source to several formats and precisions, each file in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any

import psutil

from affnet.devices.base import Device
from affnet.devices.catalog import devices_to_prove_on
from affnet.errors import (
    AffnetError,
    ConversionError,
    MissingError,
    UnknownNameError,
    UsageError,
    from_wire,
)
from affnet.export.converters import CONVERTERS, check_installed, get_converter
from affnet.export.quantization import ANY, CALIBRATED, LOSSY
from affnet.export.request import ExportRequest
from affnet.names import split_names
from affnet.processes import NoAnswerError, ask_module
from affnet.runtimes import runtime_for

_MEMORY_PER_EXPORT = 3 * 10**9  # bytes: what the hungriest converter has been seen to take
_BASELINE = "torch"  # a measuring baseline, no format for a phone


@dataclass(frozen=True)
class ExportOutcome:
    """How the export of one file ended."""

    request: ExportRequest
    seconds: float
    record: dict[str, Any] | None  # of `affnet.export.reporting.export.report_record`
    notes: tuple[str, ...] = ()
    error: AffnetError | None = None  # where it failed

    @property
    def label(self) -> str:
        """The format, and the precision where one was asked for."""
        return _label(self.request)

    @property
    def exit_code(self) -> int:
        """What `affnet export` to this format alone ends with."""
        return self.error.exit_code if self.error else 0


def installed_formats() -> tuple[list[str], list[str]]:
    """Return the formats that can be exported here, and for each other one what it lacks."""
    found, lacking = [], []
    for name in CONVERTERS:
        if name == _BASELINE:
            continue
        try:
            check_installed(get_converter(name))
        except MissingError as error:
            lacking.append(str(error))
        else:
            found.append(name)
    return found, lacking


def requests_of(request: ExportRequest) -> tuple[list[ExportRequest], list[str]]:
    """Return a request for each file that ``request`` stands for, and what some will lack.

    That are the formats of ``all`` that are not installed here, and devices to prove on that do
    not run a format.

    A precision of several is asked of the formats that have it.

    Raises:
        UnknownNameError: a format is unknown, or no format has one of the precisions.
        MissingError: a format that is named needs a package that is not installed.
    """
    formats, lacking = _formats(request.format)
    valid = {name: get_converter(name).precisions for name in formats}
    requests = []
    for precision in dict.fromkeys(request.precisions or (None,)):
        names = [name for name in formats if precision is None or precision in valid[name]]
        if not names:
            every = dict.fromkeys(one for precisions in valid.values() for one in precisions)
            raise UnknownNameError(f"precision for {', '.join(formats)}", precision, every)
        one = replace(request, precision=precision)
        if precision not in LOSSY:  # images are for the others
            one = replace(one, calibration_data=None, max_accuracy_drop=None)
        if precision not in CALIBRATED:
            one = replace(one, target=ANY)
        requests += [replace(one, format=name) for name in names]
    if request.prove_on is None:
        return requests, lacking
    places = devices_to_prove_on(request.prove_on)
    provable = {name: [p.name for p in places if _runs(p, name)] for name in formats}
    lacking += [
        f"{place.name} does not run {name} files, which are not proven there."
        for name in formats
        for place in places
        if not _runs(place, name)
    ]
    return [
        replace(one, prove_on=",".join(provable[one.format]) or None) for one in requests
    ], lacking


def _runs(place: Device, format_: str) -> bool:
    return runtime_for(format_).name in place.capabilities.runtimes


def _formats(text: str) -> tuple[list[str], list[str]]:
    if text == "all":
        return installed_formats()
    names = split_names(text)
    if not names:
        raise UsageError("--format names no format", "give all, or a list such as onnx,tflite.")
    for name in names:
        check_installed(get_converter(name))
    return names, []


def export_all(
    requests: Sequence[ExportRequest], progress: Callable[[str], None]
) -> list[ExportOutcome]:
    """Run each request in a process, as many at once as cores and memory allow.

    A format that fails, or crashes its process, does not stop the others.
    """
    memory = psutil.virtual_memory().available // _MEMORY_PER_EXPORT
    workers = int(max(1, min(len(requests), os.cpu_count() or 1, memory)))
    processes: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            jobs = [pool.submit(_export, request, processes) for request in requests]
            progress(f"Exporting to {', '.join(map(_label, requests))}, {workers} at a time")
            for job in as_completed(jobs):
                outcome = job.result()
                state = "failed" if outcome.exit_code else "done"
                progress(f"{outcome.label} {state} after {outcome.seconds:.0f} s")
        finally:  # interrupted: none may outlive the command
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
    return [job.result() for job in jobs]


def _label(request: ExportRequest) -> str:
    return request.format if request.precision is None else f"{request.format} {request.precision}"


def _export(request: ExportRequest, processes: list[subprocess.Popen[str]]) -> ExportOutcome:
    started = time.perf_counter()
    try:
        out = ask_module("affnet.export.worker", request.to_json(), processes.append)
    except NoAnswerError as error:
        crash = ConversionError(f"The export to {request.format} crashed: {error}.")
        return ExportOutcome(request, time.perf_counter() - started, None, error=crash)
    seconds, answer = time.perf_counter() - started, json.loads(out)
    if "error" in answer:
        return ExportOutcome(request, seconds, None, error=from_wire(answer["error"]))
    return ExportOutcome(request, seconds, answer["record"], tuple(answer["notes"]))
