"""A device as a place to run inputs of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.devices.base import Device, InferringProcess, Progress, check_capable
from affnet.errors import UntimedError, UsageError
from affnet.runtimes import runtime_for


class DeviceSession:
    """An artifact that is loaded on a device; see `affnet.runtimes.Session`."""

    def __init__(self, process: InferringProcess, runtime: str) -> None:
        self._process = process
        self.runtime = f"{runtime} {process.startup.runtime_version}"
        self.arithmetic: str = getattr(process, "arithmetic", "fp32")

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `affnet.runtimes.Session.run`."""
        return self._process.infer(*inputs)


def check_runs(device: Device, artifact_format: str, runtime: str | None = None) -> str:
    """Return the runtime of a format, or ``runtime`` if it can be used.

    Raises:
        UsageError: devices of this kind do not run it.
        MissingError: it is not installed.
    """
    runtime = runtime or runtime_for(artifact_format).name
    check_capable(device, runtime)
    with suppress(UntimedError):  # what it computes is known all the same
        device.check_runtime(runtime)
    return runtime


@contextmanager
def open_session(
    device: Device,
    artifact: Artifact,
    progress: Progress = lambda _: None,
    runtime: str | None = None,
) -> Iterator[DeviceSession]:
    """Load ``artifact`` on ``device``, on one thread, for as long as the context lasts.

    It is loaded into ``runtime``, by default that of its format.

    Raises:
        UsageError: devices of this kind do not run it, or take no inputs of the caller's.
        MissingError: the device cannot be reached, or lacks what running it needs.
        MeasurementError: the process there failed, hung or returned nonsense.
    """
    runtime = check_runs(device, artifact.manifest.format, runtime)
    with device.session(runtime, progress), device.start(artifact, runtime, 1) as process:
        if not isinstance(process, InferringProcess):
            raise UsageError(
                f"{device.name} takes no inputs from here, which proving a file on it needs",
                "prove it on arm64, on a board or on host.",
            )
        yield DeviceSession(process, runtime)
