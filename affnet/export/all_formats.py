"""Exporting a source to every format whose tools are installed, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import psutil

from affnet.errors import MissingError, UnknownNameError
from affnet.export.converters import CONVERTERS, check_installed, get_converter
from affnet.processes import module_command, module_environment

_MEMORY_PER_EXPORT = 3 * 10**9  # bytes: what the hungriest converter has been seen to take
_BASELINE = "torch"  # a measuring baseline, no format for a phone


@dataclass(frozen=True)
class Outcome:
    """How the export to one format ended."""

    format: str
    exit_code: int
    seconds: float
    record: dict[str, Any] | None  # what `affnet export --json` printed, where it succeeded
    error: str | None  # its one sentence, where it failed


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


def chosen_formats(text: str) -> tuple[list[str], list[str]]:
    """Return the formats of a list such as ``onnx,coreml``, or `installed_formats` for ``all``.

    Raises:
        UnknownNameError: one of them is unknown.
        MissingError: one of them needs a package that is not installed.
    """
    if text == "all":
        return installed_formats()
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        check_installed(get_converter(name))
    return names, []


def by_precision(formats: Sequence[str], text: str | None) -> list[tuple[str | None, list[str]]]:
    """Return each precision of a list such as ``fp32,int8``, with the formats that have it.

    Without a list each format has its default precision, None.

    Raises:
        UnknownNameError: none of the formats has one of them.
    """
    if text is None:
        return [(None, list(formats))]
    valid = {name: get_converter(name).precisions for name in formats}
    found: list[tuple[str | None, list[str]]] = []
    for precision in dict.fromkeys(name.strip() for name in text.split(",")):
        names = [name for name in formats if precision in valid[name]]
        if not names:
            every = dict.fromkeys(one for precisions in valid.values() for one in precisions)
            raise UnknownNameError(f"precision for {', '.join(formats)}", precision, every)
        found.append((precision, names))
    return found


def export_all(
    formats: Sequence[str], arguments: Sequence[str], progress: Callable[[str], None]
) -> list[Outcome]:
    """Run ``affnet export`` once for each format, as many at once as cores and memory allow.

    ``arguments`` are those of the command line without ``--format`` and ``--json``.  A format that
    fails, or crashes its process, does not stop the others.
    """
    memory = psutil.virtual_memory().available // _MEMORY_PER_EXPORT
    workers = int(max(1, min(len(formats), os.cpu_count() or 1, memory)))
    processes: list[subprocess.Popen[str]] = []
    outcomes: dict[str, Outcome] = {}
    with ThreadPoolExecutor(workers) as pool:
        try:
            jobs = [pool.submit(_export, name, arguments, processes) for name in formats]
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


def _export(name: str, arguments: Sequence[str], processes: list[subprocess.Popen[str]]) -> Outcome:
    started = time.perf_counter()
    process = subprocess.Popen(
        [*module_command("affnet.cli"), "export", *arguments, "--format", name, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=module_environment(),
        text=True,
    )
    processes.append(process)
    out, err = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode == 0:
        return Outcome(name, 0, seconds, json.loads(out), None)
    errors = [line for line in err.splitlines() if line.startswith("Error: ")]
    lines = errors or err.strip().splitlines() or [f"it ended with code {process.returncode}"]
    return Outcome(name, process.returncode, seconds, None, lines[-1].removeprefix("Error: "))
