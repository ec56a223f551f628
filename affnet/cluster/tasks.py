"""What runs on a worker: one job of a known kind, from plain values to plain values.

Nothing else of a client's reaches a worker than the name of one of `TASKS` and what it is given.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from affnet.cluster import parcels
from affnet.cluster.parcels import Parcel
from affnet.cluster.quiet import COMPUTING
from affnet.cluster.site import Site
from affnet.errors import AffnetError, MissingError, first_line, to_wire
from affnet.files import scratch_folder
from affnet.processes import NoAnswerError, ask_module

#: In the worker itself, which keeps the host quiet for it.
TASKS: dict[str, str] = {
    "measure": "affnet.bench.measurement.on_cluster:measure_task",
    "rounds": "affnet.bench.budgets.on_cluster:rounds_task",
    "profiles": "affnet.bench.budgets.on_cluster:profiles_task",
}
#: In a process of their own, which may crash: from JSON and a folder with the parcels to JSON.
#: Files that one leaves in `MADE` of that folder come back with its value, by their names.
COMPUTING_TASKS: dict[str, str] = {
    "evaluate": "affnet.cluster.shards:evaluate_task",
    "export": "affnet.export.on_cluster:export_task",
}
MADE = "made"
#: What a worker's plugin is called.
PLUGIN = "affnet"
_INTERVAL_S = 1.0  # between steps that a client is shown


class Surroundings(NamedTuple):
    """What a task works with."""

    site: Site
    folder: Path  # holds each parcel in a folder that is called like its key
    show: Callable[[str], None]


class Task(Protocol):
    """A function of `TASKS`."""

    def __call__(self, payload: Mapping[str, Any], around: Surroundings) -> Any:
        """Return plain values; an `AffnetError` reaches the client in its class."""
        ...


def run_job(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run a job on this worker; return its ``value``, its ``error``, or what it is ``missing``.

    ``job`` is what `affnet.cluster.run.Job.to_wire` returns.
    """
    from distributed import get_worker

    worker = get_worker()
    if missing := parcels.missing(job["parcels"]):
        return {"missing": missing}
    site: Site = vars(worker.plugins[PLUGIN])["site"]
    show = _sparingly(functools.partial(worker.log_event, job["topic"]), job["label"])
    device = job["device"]
    kind = COMPUTING if device is None else site.kind_of_work(device)
    try:
        with (
            scratch_folder() as folder,
            site.quiet.hold(kind, lambda: show("Waiting for other work on its host to end")),
        ):
            parcels.unpack(job["parcels"], folder)
            if job["task"] in COMPUTING_TASKS:
                return compute(job, site, folder)
            task: Task = function_of(TASKS[job["task"]])
            return {"value": task(job["payload"], Surroundings(site, folder, show))}
    except AffnetError as error:
        return {"error": error_from_here(error)}
    except Exception as error:  # a fault of affnet; it must not take the other jobs with it
        reason = f"{type(error).__name__}: {first_line(error)}"
        return {"error": to_wire(AffnetError(f"A worker failed at {job['label']}: {reason}"))}


def compute(job: Mapping[str, Any], site: Site, folder: Path) -> dict[str, Any]:
    """Run a job of `COMPUTING_TASKS` in a process; return what `run_job` does."""
    request = {"task": job["task"], "payload": job["payload"], "folder": str(folder)}
    with contextlib.ExitStack() as stack:

        def started(process: subprocess.Popen[str]) -> None:
            stack.enter_context(site.interruptible(process.kill))

        try:
            out = ask_module("affnet.cluster.child", json.dumps(request), started)
        except NoAnswerError as error:
            crash = f"{job['label']} crashed on {platform.node()}: {error}."
            return {"error": to_wire(AffnetError(crash))}
    answer: dict[str, Any] = json.loads(out)
    if "value" in answer and (made := folder / MADE).is_dir():
        answer["value"] = {**answer["value"], "files": Parcel.of(made.iterdir()).contents()}
    return answer


def error_from_here(error: AffnetError) -> dict[str, Any]:
    """Return an error for a client, which is to know where something is missing."""
    wire, where = to_wire(error), f"On {platform.node()}: "
    if isinstance(error, MissingError):
        wire["message"] = where + wire["message"]
        wire["fields"]["problem"] = where + error.problem
    return wire


def function_of(name: str) -> Any:
    """Return what ``module:function`` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _sparingly(log: Callable[[Any], None], label: str) -> Callable[[str], None]:
    last = 0.0

    def show(step: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _INTERVAL_S:
            last = now
            log(f"{label}: {step}")

    return show
