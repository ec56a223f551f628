"""Exporting on a cluster: each file is a job of a worker that computes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affnet.cluster.parcels import Parcel, write_files
from affnet.cluster.run import Job, Run
from affnet.cluster.tasks import MADE
from affnet.errors import AffnetError, UsageError
from affnet.export.all_formats import ExportOutcome
from affnet.export.request import ExportRequest
from affnet.files import is_path, portable, publish, staging_folder

if TYPE_CHECKING:
    from distributed import Client

_FILES = ("config", "weights", "labels", "verify_on")  # of a request, files or folders
_LIBRARIES = ("timm:", "torchvision:")


def check_travels(request: ExportRequest) -> None:
    """Raise `UsageError` for what only this machine can export."""
    if request.prove_on is not None or request.repair:
        option = "--repair" if request.repair else "--prove-on"
        raise UsageError(
            f"{option} runs files on devices of this machine, and --cluster exports elsewhere",
            "drop one of them; prove what is written with: affnet verify FILE --device DEVICE",
        )
    source = request.source
    if ":" in source and not source.startswith(_LIBRARIES) and not Path(source).exists():
        raise UsageError(
            f"{source} is code of this machine, which workers of a cluster do not get",
            "save its program with torch.export.save, and export that.",
        )


def export_jobs(requests: Sequence[ExportRequest]) -> list[Job]:
    """Return a job for each request; the files that they name travel with them."""
    jobs = []
    for request in requests:
        there, parcel = _packed(request)
        payload = {
            "request": dataclasses.asdict(there),
            "parcel": parcel.key,
            "output": str(Path(request.output).resolve()),
        }
        label = ExportOutcome(request, 0.0, None).label
        jobs.append(Job(label, "export", payload, None, (parcel,) if parcel.files else ()))
    return jobs


def export_on_cluster(
    client: Client,
    requests: Sequence[ExportRequest],
    about: Mapping[str, Any],
    progress: Callable[[str], None],
) -> list[ExportOutcome]:
    """Send all requests; see `affnet.export.all_formats.export_all`.

    Each file is written as soon as its job ends.  An exception here, such as that of Ctrl-C, leaves
    the jobs to the cluster.
    """
    progress(f"Exporting {len(requests)} files on the cluster")
    outcomes = take_exports(Run(client, export_jobs(requests), about), progress)
    return [
        dataclasses.replace(one, request=request)
        for one, request in zip(outcomes, requests, strict=True)
    ]


def take_exports(run: Run, progress: Callable[[str], None]) -> list[ExportOutcome]:
    """Wait for a run, and write its files to where they were to go."""
    found: dict[int, ExportOutcome] = {}

    def done(number: int, value: Any, error: AffnetError | None) -> None:
        payload = run.jobs[number].payload
        request = ExportRequest(**payload["request"])
        seconds = value["seconds"] if error is None else 0.0
        try:
            if error is not None:
                raise error
            record, output = value["record"], Path(payload["output"])
            _write(value["files"], output)
            record["artifact"] = str(output / Path(record["artifact"]).name)
            found[number] = ExportOutcome(request, seconds, record, tuple(value["notes"]))
        except AffnetError as reason:
            found[number] = ExportOutcome(request, seconds, None, error=reason)
        state = "failed" if found[number].exit_code else "done"
        progress(f"{run.jobs[number].label} {state} after {seconds:.0f} s")

    run.finish(progress, done)
    return [found[number] for number in range(len(run.jobs))]


def _write(files: Mapping[str, bytes], output: Path) -> None:
    with staging_folder(output) as staging:
        write_files(files, staging)
        publish(sorted(staging.iterdir()), output)


def _packed(request: ExportRequest) -> tuple[ExportRequest, Parcel]:
    """Return a request for a working directory that has the files of a parcel, and that parcel."""
    named, files = {name: getattr(request, name) for name in _FILES}, dict[str, Path]()
    if is_path(request.source):
        from affnet.model.config import find_config

        named["source"] = request.source
        beside = find_config(Path(request.source)) if request.config is None else None
        named["config"] = request.config or (str(beside) if beside else None)
    changes: dict[str, Any] = {}
    for name, text in named.items():
        if text is None:
            continue
        path = Path(text)
        there = portable(path)
        while there in files and files[there].resolve() != path.resolve():
            there = f"another/{there}"
        files[there], changes[name] = path, there
    if request.calibration_data not in (None, "bundled"):  # read by all hosts at the same place
        changes["calibration_data"] = str(Path(str(request.calibration_data)).resolve())
    return dataclasses.replace(request, output=MADE, **changes), Parcel.named(files)


def export_task(payload: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Export one file; see `affnet.cluster.tasks`."""
    from affnet.export.worker import answer_to

    started = time.perf_counter()
    request = ExportRequest.from_json(json.dumps(payload["request"]))
    here = folder / payload["parcel"]
    here.mkdir(exist_ok=True)  # a name has no files
    with contextlib.chdir(here):  # of this process, which is for it alone
        answer = answer_to(dataclasses.replace(request, output=str(folder / MADE)))
    return {**answer, "seconds": time.perf_counter() - started}
