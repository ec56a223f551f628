"""Measuring batches of jobs on one device, the jobs of each batch in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from affnet.bench.measurement.interleaved import Job, Progress
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.sweep import Keep, sweep
from affnet.bench.results.outcome import DeviceOutcome
from affnet.devices.base import Device


@dataclass(frozen=True)
class Batch:
    """Jobs of one runtime that are measured in turns."""

    label: str  # what its progress is shown under
    jobs: Sequence[Job]


#: Yields an outcome for each batch, in their order; batches may be made while others are measured.
MeasureBatches = Callable[[Iterable[Batch]], Iterator[DeviceOutcome]]


def measure_batches(
    batches: Iterable[Batch],
    device: Device,
    protocol: Protocol,
    *,
    threads: int,
    progress: Progress = lambda _: None,
    keep: Keep = lambda _: None,
) -> Iterator[DeviceOutcome]:
    """Measure one batch after the other on a device of this machine; see `MeasureBatches`.

    The results of each go to ``keep`` as soon as they are there.
    """
    for batch in batches:

        def show(step: str, label: str = batch.label) -> None:
            progress(f"{label}: {step}")

        yield from sweep(batch.jobs, [device], protocol, threads=threads, progress=show, keep=keep)
