"""Measuring several artifacts side by side on one device."""

from __future__ import annotations

import statistics
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

from affnet.artifact import Artifact
from affnet.bench.measurement.cool_down import wait_until_fit
from affnet.bench.measurement.energy import with_energy
from affnet.bench.measurement.git_commit import git_commit
from affnet.bench.measurement.monitor import StateMonitor
from affnet.bench.measurement.output_parity import check_outputs, parity_warning
from affnet.bench.measurement.profiling import with_profile
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.validity import reasons_against
from affnet.bench.results.result import Result
from affnet.bench.results.workload import workload_of
from affnet.devices.base import (
    MEMORY_RUNS,
    BlockStatistics,
    Device,
    MeasuringProcess,
    Memory,
    PipelineProcess,
    PlacingProcess,
    QualifiedProcess,
    SummarisingProcess,
)
from affnet.errors import UsageError
from affnet.parity import Parity
from affnet.placement import Placement

Progress = Callable[[str], None]

_WARMUP_BLOCK_RUNS = 5
_SETTLED = 0.02  # a block's median may still fall by this share


@dataclass(frozen=True)
class Job:
    """One artifact to measure, and what its row is called."""

    label: str
    artifact: Artifact
    runtime: str


@dataclass(frozen=True)
class Preflight:
    """What is found out before the clock matters, in a process of its own."""

    memory: Memory
    parity: Parity | str | None
    placement: Placement | str | None


@dataclass
class Running:
    """A job's process and what it has delivered so far."""

    job: Job
    process: MeasuringProcess
    warmup_ns: list[int] = field(default_factory=list)
    blocks_ns: list[tuple[int, ...]] = field(default_factory=list)
    statistics: list[BlockStatistics] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)
    stages_ns: dict[str, list[int]] = field(default_factory=dict)
    block_runs: int = 1

    def measure(self, protocol: Protocol, now_s: float) -> None:
        """Take one turn."""
        self.starts_s.append(round(now_s, 3))
        samples = self.process.run(self.block_runs, protocol.discarded_per_block)
        self.blocks_ns.append(tuple(samples))
        if protocol.picture is not None and isinstance(self.process, PipelineProcess):
            for stage, values in self.process.last_stages().items():
                self.stages_ns.setdefault(stage, []).extend(values)
        if isinstance(self.process, SummarisingProcess):
            self.statistics.append(self.process.last_block())

    def done(self, protocol: Protocol) -> bool:
        """Return whether it has enough runs."""
        runs = sum(block.runs for block in self.statistics) or sum(map(len, self.blocks_ns))
        return runs >= protocol.min_runs and self.seconds() >= protocol.min_seconds

    def seconds(self) -> float:
        """Return how long all measured runs took."""
        if self.statistics:
            return sum(block.runs * block.mean_ns for block in self.statistics) / 1e9
        return sum(map(sum, self.blocks_ns)) / 1e9


def label_jobs(artifacts: Sequence[Artifact], runtime: str) -> list[Job]:
    """Return a job for each artifact, called like its model, or its path if that is not unique."""
    names = [artifact.manifest.model for artifact in artifacts]
    return [
        Job(name if names.count(name) == 1 else str(artifact.path), artifact, runtime)
        for name, artifact in zip(names, artifacts, strict=True)
    ]


def measure(
    jobs: Sequence[Job],
    device: Device,
    protocol: Protocol,
    *,
    threads: int,
    profile: bool = False,
    progress: Progress = lambda _: None,
    passes: Sequence[Preflight] | None = None,
) -> list[Result]:
    """Measure each job in a fresh process, interleaved with the others.

    Memory is taken first, in processes of their own, so that its sampling never meets the timing,
    unless ``passes`` holds it already; a profile of the operators, if asked for, last.

    Raises:
        UsageError: no job, or fewer than one thread.
        MissingError: a runtime is not installed on the device.
        MeasurementError: a process failed, hung or returned nonsense.
    """
    if not jobs:
        raise UsageError("There is nothing to measure", "name at least one model.")
    if threads < 1:
        raise UsageError(f"At least 1 thread must run, not {threads}.")
    cooling_s = wait_until_fit(device, progress)
    before = device.conditions()
    if passes is None:
        passes = preflight(jobs, device, threads, progress)
    with ExitStack() as stack:
        running = []
        for job in jobs:
            progress(f"Loading and warming up {job.label}")
            process = stack.enter_context(device.start(job.artifact, job.runtime, threads))
            if protocol.picture is not None:
                _begin_pipeline(process, job, device, protocol.picture)
            running.append(Running(job, process))
            _warm_up(running[-1], protocol)
        monitor = StateMonitor(device, protocol.watch_seconds, cooling_s)
        _measure_in_turns(running, protocol, monitor, progress)
    environment = {**device.fingerprint(), "before": before, "after": device.conditions()}
    environment |= monitor.record()
    session = uuid.uuid4().hex
    results = [
        result_of(entry, device.name, protocol, threads, first, environment, session)
        for entry, first in zip(running, passes, strict=True)
    ]
    return list(_with_later_passes(results, jobs, device, protocol, profile, progress))


def _with_later_passes(
    results: Sequence[Result],
    jobs: Sequence[Job],
    device: Device,
    protocol: Protocol,
    profile: bool,
    progress: Progress,
) -> Iterator[Result]:
    """Yield the results with what is counted in passes of its own, after all timing."""
    for result, job in zip(results, jobs, strict=True):
        found = result
        if protocol.energy:
            progress(f"Counting the energy of {job.label}")
            found = with_energy(found, job.artifact, device)
        if profile:
            progress(f"Profiling {job.label}")
            found = with_profile(found, job.artifact, device)
        yield found


def preflight(
    jobs: Sequence[Job], device: Device, threads: int, progress: Progress = lambda _: None
) -> list[Preflight]:
    """Find out each job's memory, and whether the device computes it right."""
    return [_preflight(job, device, threads, progress) for job in jobs]


def _preflight(job: Job, device: Device, threads: int, progress: Progress) -> Preflight:
    progress(f"Measuring the memory of {job.label}")
    with device.start(job.artifact, job.runtime, threads) as process:
        process.run(MEMORY_RUNS)
        memory = process.memory()
        placed = process.placement() if isinstance(process, PlacingProcess) else None
        parity = check_outputs(process, job.artifact, device, job.runtime)
        return Preflight(memory, parity, placed)


def _begin_pipeline(process: MeasuringProcess, job: Job, device: Device, picture: bytes) -> None:
    if not isinstance(process, PipelineProcess):
        raise UsageError(
            f"{device.name} measures inference alone: what runs models there takes no pictures",
            "measure the pipeline on host, on a board or in a browser, or omit --pipeline.",
        )
    if not job.artifact.proven or job.artifact.manifest.task == "other":
        raise UsageError(
            f"{job.label} has no manifest that says what its outputs mean",
            "export it from a network of affnet, or omit --pipeline.",
        )
    process.begin_pipeline(job.artifact, picture)


def _warm_up(entry: Running, protocol: Protocol) -> None:
    """Run until the median of a block stops falling, within the protocol's bound."""
    best = float("inf")
    while sum(entry.warmup_ns) / 1e9 < protocol.max_warmup_seconds:
        block = entry.process.run(_WARMUP_BLOCK_RUNS)
        entry.warmup_ns.extend(block)
        median = statistics.median(block)
        if median > best * (1 - _SETTLED):
            break
        best = median
    typical = statistics.median(entry.warmup_ns[-_WARMUP_BLOCK_RUNS:]) / 1e9
    entry.block_runs = max(protocol.min_block_runs, round(protocol.block_seconds / typical))


def _measure_in_turns(
    entries: list[Running], protocol: Protocol, monitor: StateMonitor, progress: Progress
) -> None:
    """Give each process a block, in order, then in reverse: drift of the machine hits all alike.

    All go on until the last is done, so that every turn holds a block of each.
    """
    order = entries
    while not all(entry.done(protocol) for entry in entries):
        monitor.await_fitness(progress)
        least = min(entry.seconds() for entry in entries)
        progress(f"Measuring in turns, {least:.1f} s of each so far")
        for entry in order:
            entry.measure(protocol, monitor.elapsed())
        monitor.sample()
        order = order[::-1]


def _limits(entry: Running, first: Preflight) -> list[str]:
    """Return what a result does not hold that others do, a sentence each without its full stop."""
    limits: list[str] = []
    if isinstance(entry.process, QualifiedProcess):
        limits += entry.process.caveats()
    if not entry.job.artifact.proven:
        limits.append(f"{entry.job.label} is unproven: affnet did not export it")
    return limits + [found for found in (first.parity, first.placement) if isinstance(found, str)]


def _warnings(
    entry: Running, parity: Parity | None, placed: Placement | None, not_measured: object
) -> list[str]:
    """Return why a result may be invalid whatever its samples are, without full stops."""
    against = [f"not measured: {not_measured}"] if not_measured else []
    if isinstance(entry.process, QualifiedProcess):
        against += entry.process.warnings()
    if parity and not parity.passed:
        against.append(parity_warning(parity))
    if placed and (warning := placed.warning()):
        against.append(warning)
    return against


def result_of(
    entry: Running,
    device: str,
    protocol: Protocol,
    threads: int,
    first: Preflight,
    environment: dict[str, object],
    session: str,
) -> Result:
    """Return the record of what a job's process delivered."""
    artifact, startup = entry.job.artifact, entry.process.startup
    manifest = artifact.manifest
    parity = first.parity if isinstance(first.parity, Parity) else None
    placed = first.placement if isinstance(first.placement, Placement) else None
    against = _warnings(entry, parity, placed, environment.get("not_measured"))
    return Result(
        model=entry.job.label,
        artifact=str(artifact.path),
        artifact_sha256=manifest.sha256,
        format=manifest.format,
        runtime=entry.job.runtime,
        runtime_version=startup.runtime_version,
        device=device,
        threads=threads,
        precision=manifest.precision,
        protocol=protocol.name,
        blocks_ns=tuple(entry.blocks_ns),
        warmup_ns=tuple(entry.warmup_ns),
        load_ns=startup.load_ns,
        first_inference_ns=startup.first_inference_ns,
        peak_rss_bytes=first.memory.peak_rss_bytes,
        pss_bytes=first.memory.pss_bytes,
        runtime_bytes=first.memory.runtime_bytes,
        file_bytes=artifact.file_bytes,
        parameters=manifest.parameters,
        macs=manifest.macs,
        proven=artifact.proven,
        weights=manifest.provenance.weights,
        published=manifest.published,
        accuracy=manifest.accuracy,
        validity_reasons=(*against, *reasons_against(entry.blocks_ns, environment, threads)),
        environment=environment,
        block_statistics=tuple(entry.statistics),
        limits=tuple(_limits(entry, first)),
        session=session,
        recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
        exported_error=manifest.parity.max_rel_error if manifest.parity else None,
        parity=parity,
        placed=placed.operators if placed else (),
        asked_units=placed.asked if placed else (),
        git_commit=git_commit(),
        workload=workload_of(manifest),
        stages_ns={name: tuple(values) for name, values in entry.stages_ns.items()},
        block_starts_s=tuple(entry.starts_s) if protocol.watch_seconds is not None else (),
    )
