"""A device that runs files in a real runtime of this process, with a fault planted in each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.devices.base import Progress, Startup
from affnet.devices.fake import FakeDevice, FakeSettings
from affnet.runtimes import Session, get_runtime
from affnet.runtimes.onnx_exact import ExactSession
from benchmarks.bisection.faults import Step
from benchmarks.bisection.planting import PLANTERS


class PlantedDevice(FakeDevice):
    """Spoils the value ``output`` wherever a file computes it; None: nothing."""

    def __init__(self, output: str | None, steps: list[Step], *, unfused: bool = False) -> None:
        super().__init__("planted", FakeSettings())
        self._output, self._steps, self._unfused = output, steps, unfused

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`."""
        yield

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[Any]:
        """See `Device.start`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, artifact.path.name)
            if self._output is None or not PLANTERS[artifact.manifest.format](
                artifact.path, self._output, self._steps, path
            ):
                path = artifact.path
            yield _Process(ExactSession(path, 1) if self._unfused else _loaded(path, runtime))


def _loaded(path: Path, runtime: str) -> Session:
    return get_runtime(runtime).load(path, threads=1)


class _Process:
    """A session in this process, as a device's process."""

    startup = Startup(1, 1, "in this process")

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, iterations: int, discard: int = 0) -> list[int]:
        """See `MeasuringProcess.run`."""
        raise NotImplementedError

    def memory(self) -> Any:
        """See `MeasuringProcess.memory`."""
        raise NotImplementedError

    def infer(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `InferringProcess.infer`."""
        return self._session.run(*inputs)
