"""Measuring on the devices of a cluster: one job for each device and runtime."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from affnet.bench.measurement.git_commit import git_commit
from affnet.bench.measurement.interleaved import Job, Progress
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.runtimes import Place, RuntimePlan, without_left_out
from affnet.bench.measurement.sweep import Keep, sweep
from affnet.bench.results.outcome import DeviceOutcome
from affnet.bench.results.result import Result
from affnet.cluster.parcels import Parcel
from affnet.cluster.run import Job as ClusterJob
from affnet.cluster.run import Run
from affnet.cluster.tasks import Surroundings
from affnet.errors import AffnetError, MeasurementError
from affnet.runtimes.foreign import open_file

if TYPE_CHECKING:
    from distributed import Client


def cluster_jobs(
    jobs: Mapping[str, Sequence[Job]],
    devices: Sequence[Place],
    plan: RuntimePlan,
    protocol: Protocol,
    *,
    threads: int,
    profile: bool = False,
    overrides: Mapping[str, Any],
) -> list[ClusterJob]:
    """Return a job of the cluster for each device and runtime of a plan."""
    parcels = {
        job.artifact.path: Parcel.of_artifact(job.artifact)
        for models in jobs.values()
        for job in models
    }
    return [
        ClusterJob(
            label=device.name,
            task="measure",
            payload={
                "device": device.name,
                "runtime": runtime,
                "models": [_described(job, parcels[job.artifact.path].key) for job in models],
                "protocol": dataclasses.asdict(protocol),
                "threads": threads,
                "profile": profile,
                "overrides": {name: value for name, value in overrides.items() if value},
                "git_commit": git_commit(),
            },
            device=device.name,
            parcels=tuple(dict.fromkeys(parcels[job.artifact.path] for job in models)),
        )
        for runtime, models in jobs.items()
        for device in devices
        if runtime in plan.runtimes[device.name]
    ]


def _described(job: Job, parcel: str) -> dict[str, str]:
    path = job.artifact.path
    return {"label": job.label, "parcel": parcel, "file": path.name, "path": str(path)}


def measure_on_cluster(
    client: Client,
    jobs: Sequence[ClusterJob],
    plan: RuntimePlan,
    about: Mapping[str, Any],
    *,
    progress: Progress = lambda _: None,
    keep: Keep = lambda _: None,
) -> list[DeviceOutcome]:
    """Send what `cluster_jobs` returned; see `affnet.bench.measurement.runtimes.measure_runtimes`.

    An exception here, such as that of Ctrl-C, leaves the jobs to the cluster.
    """
    run = Run(client, jobs, {**about, "named": plan.named})
    return without_left_out(take_outcomes(run, progress, keep), plan)


def take_outcomes(
    run: Run, progress: Progress, keep: Keep
) -> dict[str, list[tuple[str, DeviceOutcome]]]:
    """Wait for a run; return the outcomes of each device with their runtimes."""
    found: dict[int, DeviceOutcome] = {}

    def done(number: int, value: Any, error: AffnetError | None) -> None:
        device = run.jobs[number].payload["device"]
        outcome = _outcome(device, value, error)
        keep(outcome.results)
        found[number] = outcome
        progress(f"{device}: {'failed' if outcome.error else 'done'}")
        progress(f"{len(found)} of {len(run.jobs)} jobs have ended")

    run.finish(progress, done)
    outcomes: dict[str, list[tuple[str, DeviceOutcome]]] = {}
    for number, job in enumerate(run.jobs):
        entries = outcomes.setdefault(job.payload["device"], [])
        entries.append((job.payload["runtime"], found[number]))
    return outcomes


def _outcome(device: str, value: Any, error: AffnetError | None) -> DeviceOutcome:
    if error is not None:
        return DeviceOutcome(device, error=error)
    try:
        return DeviceOutcome(device, [Result.from_json(record) for record in value])
    except ValueError as problem:
        error = MeasurementError(f"{device}: its worker sent no result: {problem}.")
        return DeviceOutcome(device, error=error)


def measure_task(payload: Mapping[str, Any], around: Surroundings) -> list[dict[str, Any]]:
    """Measure on a device of this worker; see `affnet.cluster.tasks`."""
    models = payload["models"]
    jobs = [
        Job(
            model["label"],
            open_file(around.folder / model["parcel"] / model["file"]),
            payload["runtime"],
        )
        for model in models
    ]
    with around.site.device(payload["device"], payload["overrides"]) as device:
        (outcome,) = sweep(
            jobs,
            [device],
            Protocol(**payload["protocol"]),
            threads=payload["threads"],
            profile=payload["profile"],
            progress=around.show,
        )
    if outcome.error:
        raise outcome.error
    return [
        dataclasses.replace(
            result, artifact=model["path"], git_commit=payload["git_commit"]
        ).to_json()
        for result, model in zip(outcome.results, models, strict=True)
    ]
