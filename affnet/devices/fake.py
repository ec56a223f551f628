"""A device that measures nothing: it computes latencies from a model's size.

It is for trying out a command, a table or a script without waiting, and for tests.  Its samples
are the same in each run, and every result says that they were not measured.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from affnet.artifact import Artifact
from affnet.devices.base import (
    Capabilities,
    Check,
    Memory,
    Progress,
    Settings,
    Startup,
    check_capable,
)
from affnet.errors import MeasurementError
from affnet.runtimes import RUNTIMES

_RUNTIME_BYTES = 40_000_000
_JITTER = 0.02


@dataclass(frozen=True)
class FakeSettings(Settings):
    """What may be set of a fake device."""

    macs_per_ns: float = 30.0  # on one thread
    overhead_ns: int = 50_000  # of each run, whatever the model
    fails: bool = False  # each process ends at once, to see what that looks like
    session_seconds: float = 0.0  # that each measurement takes, to try out a lab


_DEFAULTS = FakeSettings()


class FakeDevice:
    """Computes latencies: ``overhead + MACs / (speed * threads)``, with 2 % of seeded noise.

    Of a file that another tool made, whose MACs are unknown, its bytes count instead.
    """

    kind: ClassVar = "fake"
    capabilities: ClassVar = Capabilities(
        runtimes=tuple(RUNTIMES),
        accelerators=("cpu",),
        home_runtimes=("onnxruntime",),
        remote=False,
    )
    settings_type: ClassVar[type[Settings]] = FakeSettings

    def __init__(self, name: str = "fake", settings: FakeSettings = _DEFAULTS) -> None:
        self.name = name
        self.settings = settings
        self._stopped = threading.Event()

    def address(self) -> str:
        """See `Device.address`: each is a piece of imagined hardware of its own."""
        return f"fake {self.name}"

    def checks(self) -> Iterator[Check]:
        """See `Device.checks`."""
        yield Check("reachable", True, "always; it computes latencies instead of measuring")

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`: none is needed."""
        check_capable(self, runtime)

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """See `Device.plan`."""
        return [f"Compute the latency of {file} from its size; nothing is run" for file in files]

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`."""
        if self._stopped.wait(self.settings.session_seconds):
            raise MeasurementError(f"Measuring on {self.name} was stopped.")
        yield

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`."""
        return {
            "kind": self.kind,
            "cpu": "none: latencies are computed",
            "hardware_threads": 8,
            "not_measured": "the fake device computes its numbers",
        }

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`."""
        return {"busy_cores": 0.0, "governor": None}

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[FakeProcess]:
        """See `Device.start`."""
        if self.settings.fails:
            raise MeasurementError(
                f"Measuring {artifact.path.name} on {runtime} ended with exit code 1: "
                f"{self.name} is set to fail"
            )
        yield FakeProcess(artifact, threads, self.settings)

    def interrupt(self) -> None:
        """See `Device.interrupt`."""
        self._stopped.set()


class FakeProcess:
    """Computes what a measuring process would report."""

    def __init__(self, artifact: Artifact, threads: int, settings: FakeSettings) -> None:
        speed = settings.macs_per_ns * threads
        self._latency_ns = (
            settings.overhead_ns + (artifact.manifest.macs or artifact.file_bytes) / speed
        )
        self._file_bytes = artifact.file_bytes
        self._random = random.Random(artifact.manifest.sha256)  # noqa: S311  # noise, no secret
        self.startup = Startup(
            load_ns=round(2 * self._latency_ns) + self._file_bytes,
            first_inference_ns=round(1.5 * self._latency_ns),
            runtime_version="(none)",
        )

    def run(self, iterations: int, discard: int = 0) -> Sequence[int]:
        """See `MeasuringProcess.run`."""
        samples = [self._sample() for _ in range(discard + iterations)]
        return samples[discard:]

    def memory(self) -> Memory:
        """See `MeasuringProcess.memory`."""
        return Memory(_RUNTIME_BYTES + 2 * self._file_bytes)

    def _sample(self) -> int:
        return round(self._latency_ns * (1 + _JITTER * abs(self._random.gauss(0, 1))))
