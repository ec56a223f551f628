"""Exporting a source to every format whose tools are installed, each in a process of its own."""

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

from affnet.errors import AffnetError, ConversionError, MissingError, from_wire
from affnet.export.converters import CONVERTERS, check_installed, get_converter
from affnet.export.request import ExportRequest
from affnet.processes import module_command, module_environment

_MEMORY_PER_EXPORT = 3 * 10**9  # bytes: what the hungriest converter has been seen to take
_BASELINE = "torch"  # a measuring baseline, no format for a phone


@dataclass(frozen=True)
class Outcome:
    """How the export to one format ended."""

    format: str
    seconds: float
    record: dict[str, Any] | None  # of `affnet.export.reporting.export.report_record`
    notes: tuple[str, ...] = ()
    error: AffnetError | None = None  # where it failed

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


def export_all(
    request: ExportRequest, formats: Sequence[str], progress: Callable[[str], None]
) -> list[Outcome]:
    """Run ``request`` once for each of ``formats``, as many at once as cores and memory allow.

    A format that fails, or crashes its process, does not stop the others.
    """
    memory = psutil.virtual_memory().available // _MEMORY_PER_EXPORT
    workers = int(max(1, min(len(formats), os.cpu_count() or 1, memory)))
    processes: list[subprocess.Popen[str]] = []
    outcomes: dict[str, Outcome] = {}
    with ThreadPoolExecutor(workers) as pool:
        try:
            jobs = [
                pool.submit(_export, replace(request, format=name), processes) for name in formats
            ]
            progress(f"Exporting to {', '.join(formats)}, {workers} at a time")
            for job in as_completed(jobs):
                outcome = job.result()
                outcomes[outcome.format] = outcome
                state = "failed" if outcome.exit_code else "done"
                progress(f"{outcome.format} {state} after {outcome.seconds:.0f} s")
        finally:  # interrupted: none may outlive the command
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
    return [outcomes[name] for name in formats]


def _export(request: ExportRequest, processes: list[subprocess.Popen[str]]) -> Outcome:
    started = time.perf_counter()
    process = subprocess.Popen(
        module_command("affnet.export.worker"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        env=module_environment(),
        text=True,
    )
    processes.append(process)
    out, err = process.communicate(request.to_json())
    seconds = time.perf_counter() - started
    if process.returncode == 0:
        answer = json.loads(out)
        if "error" in answer:
            return Outcome(request.format, seconds, None, error=from_wire(answer["error"]))
        return Outcome(request.format, seconds, answer["record"], tuple(answer["notes"]))
    last = [f"it ended with code {process.returncode}", *err.strip().splitlines()][-1]
    crash = ConversionError(f"The export to {request.format} crashed: {last}.")
    return Outcome(request.format, seconds, None, error=crash)
