"""Measuring by a hosting service: each artifact in a job of its own, none in turns."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from affnet.bench.measurement.interleaved import Job, Preflight, Progress, Running, result_of
from affnet.bench.measurement.output_parity import check_outputs
from affnet.bench.measurement.profiling import profiled
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.results.result import Result
from affnet.devices.base import PlacingProcess
from affnet.devices.hosted import HostedDevice
from affnet.errors import UsageError


def measure_hosted(
    jobs: Sequence[Job],
    device: HostedDevice,
    protocol: Protocol,
    *,
    threads: int,
    profile: bool = False,
    progress: Progress = lambda _: None,
) -> Iterator[Result]:
    """Have each job measured, one after the other; yield its result as soon as it is there.

    Raises:
        UsageError: what is asked for only a device does that is measured on in turns.
        MeasurementError: the service rejected a job, or it failed.
    """
    _check(device, protocol, threads)
    session = uuid.uuid4().hex
    own = Protocol(f"one job of {device.capabilities.hosted}", min_runs=1, min_seconds=0.0)
    for job in jobs:
        progress(f"Having {job.label} measured")
        process = device.measured(job.artifact, job.runtime)
        running = Running(job, process, blocks_ns=[tuple(process.run(own.min_runs))])
        first = Preflight(
            process.memory(),
            check_outputs(process, job.artifact, device, job.runtime),
            process.placement() if isinstance(process, PlacingProcess) else None,
        )
        environment = {**device.fingerprint(), "before": {}, "after": {}}
        result = result_of(running, device.name, own, threads, first, environment, session)
        yield profiled(result, job.artifact, device, process) if profile else result


def _check(device: HostedDevice, protocol: Protocol, threads: int) -> None:
    """Raise `UsageError` where a service does not do what is asked for."""
    asked = {
        "--threads": threads != 1,
        "--sustained": protocol.watch_seconds is not None,
        "--pipeline": protocol.picture is not None,
        "--energy": protocol.energy,
    }
    for option, given in asked.items():
        if given:
            raise UsageError(
                f"{device.name} is hosted by {device.capabilities.hosted}, which has no such thing "
                f"as {option}",
                "drop it, or measure on a device of your own.",
            )
