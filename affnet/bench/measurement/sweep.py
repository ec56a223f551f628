"""Measuring the same models on several devices, all at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from affnet.bench.measurement.hosted import measure_hosted
from affnet.bench.measurement.interleaved import Job, Progress, measure
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.results.outcome import DeviceOutcome
from affnet.bench.results.result import Result
from affnet.devices.base import Device
from affnet.devices.device_lock import measuring
from affnet.devices.hosted import HostedDevice
from affnet.errors import AffnetError, MeasurementError

#: Takes results that are to outlast this process.
Keep = Callable[[Sequence[Result]], None]


def sweep(
    jobs: Sequence[Job],
    devices: Sequence[Device],
    protocol: Protocol,
    *,
    threads: int,
    profile: bool = False,
    progress: Progress = lambda _: None,
    keep: Keep = lambda _: None,
) -> list[DeviceOutcome]:
    """Measure all jobs on each device; return an outcome for each, in the order of ``devices``.

    Each device's results go to ``keep`` as soon as they are there.

    Devices work in parallel, but names of the same hardware one after the other.  An error on one
    is its outcome and leaves the others alone.  An exception here, such as that of Ctrl-C, ends all
    of them, and is raised again once each has cleaned up.
    """
    if len(devices) == 1:  # in this thread, which exceptions reach at once
        return [_measure_on(devices[0], jobs, protocol, threads, profile, progress, keep)]
    stopping = threading.Event()
    groups: dict[str, list[Device]] = {}
    for device in devices:
        groups.setdefault(device.address(), []).append(device)

    def work(group: Sequence[Device]) -> list[DeviceOutcome]:
        steps = [_labelled(device.name, progress, stopping) for device in group]
        return [
            _measure_on(device, jobs, protocol, threads, profile, show, keep)
            for device, show in zip(group, steps, strict=True)
        ]

    with ThreadPoolExecutor(len(groups)) as pool:
        try:  # from the first device on: leaving the pool waits for those that have begun
            futures = [pool.submit(work, group) for group in groups.values()]
            wait(futures)
        except BaseException:
            stopping.set()
            for device in devices:
                device.interrupt()
            raise
    outcomes = {outcome.device: outcome for future in futures for outcome in future.result()}
    return [outcomes[device.name] for device in devices]


def _measure_on(
    device: Device,
    jobs: Sequence[Job],
    protocol: Protocol,
    threads: int,
    profile: bool,
    progress: Progress,
    keep: Keep,
) -> DeviceOutcome:
    how: dict[str, Any] = {"threads": threads, "profile": profile}
    results: list[Result] = []
    try:
        with measuring(device, jobs[0].runtime if jobs else "", progress):
            if isinstance(device, HostedDevice):
                # appended one by one: what was finished before an error is kept
                results += measure_hosted(jobs, device, protocol, progress=progress, **how)
            else:
                results += measure(jobs, device, protocol, progress=progress, **how)
    except AffnetError as error:
        return DeviceOutcome(device.name, results, error)
    finally:
        if results:
            keep(results)
    return DeviceOutcome(device.name, results)


def _labelled(name: str, progress: Progress, stopping: threading.Event) -> Callable[[str], None]:
    """Return a progress function that names the device, and ends its work when all is to stop."""

    def show(step: str) -> None:
        if stopping.is_set():
            raise MeasurementError(f"Measuring on {name} was stopped.")
        progress(f"{name}: {step}")

    return show
