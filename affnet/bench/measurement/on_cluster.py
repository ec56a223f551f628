"""Measuring on the devices of a cluster: one job for each device and runtime."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from affnet.bench.measurement.batches import Batch
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
    how = {
        "protocol": dataclasses.asdict(protocol),
        "threads": threads,
        "profile": profile,
        "overrides": {name: value for name, value in overrides.items() if value},
    }
    return [
        cluster_job("measure", device, models, how)
        for runtime, models in jobs.items()
        for device in devices
        if runtime in plan.runtimes[device.name]
    ]


def cluster_job(
    task: str, device: Place, models: Sequence[Job], how: Mapping[str, Any], label: str = ""
) -> ClusterJob:
    """Return a job of the cluster that measures models of one runtime on a device.

    ``how`` are plain values for the task, beside those of every task that measures.
    """
    parcels = [Parcel.of_artifact(job.artifact) for job in models]
    return ClusterJob(
        label=f"{device.name}: {label}" if label else device.name,
        task=task,
        payload={
            "device": device.name,
            "runtime": models[0].runtime,
            "models": [
                {
                    "label": job.label,
                    "parcel": parcel.key,
                    "file": job.artifact.path.name,
                    "path": str(job.artifact.path),
                }
                for job, parcel in zip(models, parcels, strict=True)
            ],
            "git_commit": git_commit(),
            **how,
        },
        device=device.name,
        parcels=tuple(dict.fromkeys(parcels)),
    )


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


def measure_batches_on_cluster(
    client: Client,
    batches: Iterable[Batch],
    device: Place,
    protocol: Protocol,
    about: Mapping[str, Any],
    *,
    threads: int,
    progress: Progress = lambda _: None,
    keep: Keep = lambda _: None,
) -> Iterator[DeviceOutcome]:
    """Send all batches, a job each; see `affnet.bench.measurement.batches.MeasureBatches`."""
    how = {
        "protocol": dataclasses.asdict(protocol),
        "threads": threads,
        "profile": False,
        "overrides": {},
    }
    jobs = [cluster_job("measure", device, one.jobs, how, one.label) for one in batches]
    found = take_outcomes(Run(client, jobs, about), progress, keep) if jobs else {}
    for _, outcome in found.get(device.name, []):
        yield outcome


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
    with around.site.device(payload["device"], payload["overrides"]) as device:
        (outcome,) = sweep(
            opened_jobs(payload, around),
            [device],
            Protocol(**payload["protocol"]),
            threads=payload["threads"],
            profile=payload["profile"],
            progress=around.show,
        )
    if outcome.error:
        raise outcome.error
    return described_results(outcome.results, payload)


def opened_jobs(payload: Mapping[str, Any], around: Surroundings) -> list[Job]:
    """Return the models of a job that is on its worker."""
    return [
        Job(
            model["label"],
            open_file(around.folder / model["parcel"] / model["file"]),
            payload["runtime"],
        )
        for model in payload["models"]
    ]


def described_results(
    results: Iterable[Result], payload: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return what was measured as plain values, with the files and the commit of the client."""
    paths = {model["label"]: model["path"] for model in payload["models"]}
    commit = payload["git_commit"]
    return [
        dataclasses.replace(result, artifact=paths[result.model], git_commit=commit).to_json()
        for result in results
    ]
