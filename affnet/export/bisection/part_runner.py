"""Runs parts of a file on a device, whatever is compared then."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, Artifact
from affnet.devices.base import Device, InferringProcess, Progress
from affnet.errors import (
    AffnetError,
    ArtifactError,
    ConnectionLostError,
    MeasurementError,
    MissingError,
    UsageError,
    first_line,
)
from affnet.export.bisection.graph import CutGraph, Part
from affnet.parity import Tolerance, compare_input

_MOST_FAILURES = 3  # in a row: then it is the device, and not one of the files


class LostDeviceError(Exception):
    """The device stopped answering while parts were run."""

    def __init__(self, error: AffnetError) -> None:
        self.reason = first_line(error).rstrip(".")


class PartRunner:
    """A device that takes parts of a file, each in a process of its own."""

    def __init__(
        self,
        graph: CutGraph,
        artifact: Artifact,
        device: Device,
        runtime: str,
        folder: Path,
        progress: Progress,
    ) -> None:
        self._graph, self._artifact, self._device = graph, artifact, device
        self._runtime, self._folder, self._progress = runtime, folder, progress
        self.runs = self.refused = self._failures = 0
        self.repeat_error = 0.0  # of two runs of the whole file, over the largest value
        self.version = ""  # of the runtime

    def run_whole(self, part: Part, feed: Arrays, *, twice: bool) -> Sequence[NDArray[Any]]:
        """Return what the file itself gives, and note how far a second run is from that.

        Raises:
            AffnetError: the device does not run it.
        """
        return self._on_device(part, self._artifact, feed, twice=twice)

    def run(self, part: Part, feed: Arrays) -> Sequence[NDArray[Any]] | None:
        """Return what a part gives on the device; None where it refuses the file.

        Raises:
            LostDeviceError: it runs none any more.
            UsageError: it takes no inputs from here.
        """
        artifact = self._graph.write(part, self._folder / f"part{self._artifact.path.suffix}")
        if artifact is None:
            return None
        for attempt in (1, 2):
            try:
                given = self._on_device(part, artifact, feed)
                self._failures = 0
                return given
            except (ConnectionLostError, MissingError) as error:
                raise LostDeviceError(error) from error
            except (ArtifactError, MeasurementError) as error:
                if isinstance(error, ArtifactError) or attempt == 2:
                    self._refuse(error)
                    return None
        raise AssertionError("each attempt returns or raises")

    def _refuse(self, error: AffnetError) -> None:
        """Count a file that the device did not run; where it runs none any more, stop."""
        self.refused += 1
        self._failures += not isinstance(error, ArtifactError)
        if self._failures == _MOST_FAILURES:
            raise LostDeviceError(error) from error

    def _on_device(
        self, part: Part, artifact: Artifact, feed: Arrays, *, twice: bool = False
    ) -> Sequence[NDArray[Any]]:
        self.runs += 1
        self._progress(
            f"Run {self.runs}: operators {part.start + 1} to {part.end} of "
            f"{len(self._graph.operators)} on {self._device.name}"
        )
        with self._started(artifact) as process:
            given = process.infer(*feed)
            if len(given) != len(part.writes):
                raise MeasurementError(
                    f"{self._device.name} gave {len(given)} outputs of {len(part.writes)}."
                )
            if twice:
                self.repeat_error = _difference(given, process.infer(*feed))
        return given

    @contextmanager
    def _started(self, artifact: Artifact) -> Iterator[InferringProcess]:
        with self._device.start(artifact, self._runtime, 1) as process:
            if not isinstance(process, InferringProcess):
                raise UsageError(
                    f"{self._device.name} takes no inputs from here, which bisection needs",
                    "bisect on host, arm64, a board or a browser.",
                )
            self.version = process.startup.runtime_version
            yield process


def number(array: NDArray[Any]) -> NDArray[Any]:
    """Return what is compared by size: values of 8 bits are such, indices and truth are not."""
    return array.astype(np.float32) if array.dtype in (np.int8, np.uint8) else array


def _difference(first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]]) -> float:
    """Return the largest difference of two runs over the largest value of each output."""
    exact = Tolerance(math.inf)
    pairs = zip(first, second, strict=True)
    return max(
        compare_input("", [number(one)], [number(other)], exact).max_rel_error
        for one, other in pairs
    )
