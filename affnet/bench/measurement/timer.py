"""Latencies of several artifacts side by side, without a record: what a planner asks for."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from affnet.artifact import Artifact
from affnet.devices.base import Device
from affnet.devices.catalog import get_device
from affnet.devices.device_lock import measuring
from affnet.runtimes import get_runtime

_ROUNDS = 6  # each in the reverse order of the one before: A B B A A B ..
_SECONDS_PER_BLOCK = 0.05
_MIN_BLOCK_RUNS = 3
_DISCARDED = 2  # of each block: the caches are another artifact's
# of a fingerprint: what may change without changing a latency
_IRRELEVANT = {"python", "memory_bytes"}


class DeviceTimer:
    """Times artifacts on one device, within its session, each in a process of its own, in turns."""

    def __init__(self, device: Device, runtime: str, threads: int = 1) -> None:
        self._device, self._runtime = device, runtime
        self.threads = threads
        fingerprint = device.fingerprint()
        self.machine = json.dumps(
            {key: fingerprint[key] for key in sorted(fingerprint.keys() - _IRRELEVANT)}
        )
        # the version there is part of another device's fingerprint
        there = (
            f"on {device.name}" if device.capabilities.remote else get_runtime(runtime).version()
        )
        self.runtime = f"{runtime} {there}"

    def medians_us(self, artifacts: Sequence[Artifact]) -> list[float]:
        """Return the median latency of each artifact, in microseconds.

        Raises:
            MissingError: the runtime is not installed on the device.
            MeasurementError: a process failed, hung or returned nonsense.
        """
        samples: list[list[int]] = [[] for _ in artifacts]
        with ExitStack() as stack:
            processes = [
                stack.enter_context(self._device.start(artifact, self._runtime, self.threads))
                for artifact in artifacts
            ]
            warm = [statistics.median(process.run(10, discard=5)) for process in processes]
            order = list(range(len(artifacts)))
            for _ in range(_ROUNDS):
                for index in order:
                    runs = max(_MIN_BLOCK_RUNS, int(_SECONDS_PER_BLOCK * 1e9 / warm[index]))
                    samples[index] += processes[index].run(runs, discard=_DISCARDED)
                order.reverse()
        return [statistics.median(values) / 1e3 for values in samples]


@contextmanager
def open_timer(
    device: str, runtime: str, threads: int = 1, progress: Callable[[str], None] = lambda _: None
) -> Iterator[DeviceTimer]:
    """Reach the device called ``device``, and give a timer for as long as its session lasts.

    Raises:
        UsageError: there is no such device, or it cannot run ``runtime``.
        MissingError: it cannot be reached, or lacks what measuring needs.
    """
    place = get_device(device)
    place.check_runtime(runtime)
    with measuring(place, runtime, progress):
        yield DeviceTimer(place, runtime, threads)
