"""The operators that a device computes wrongly: cut files, run there, beside the reference."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, Artifact
from affnet.devices.base import Device, InferringProcess, Progress
from affnet.devices.inference import check_runs
from affnet.errors import (
    AffnetError,
    ArtifactError,
    ConnectionLostError,
    MeasurementError,
    MissingError,
    UsageError,
    first_line,
)
from affnet.export.bisection.description import describe, file_name, write_reproducer
from affnet.export.bisection.graph import CutGraph, Liveness, Part, whole
from affnet.export.bisection.record import Bisection, WrongPart
from affnet.export.bisection.search import WrongOperators, find_wrong
from affnet.files import scratch_folder
from affnet.parity import (
    TOLERANCES,
    InputParity,
    Tolerance,
    badness,
    compare_input,
)

#: Of a single value.  Between two steps of 8 bits either is right, and some such add up.
_FEW_BITS = Tolerance(0.25, min_psnr_db=25.0)
_MOST_FAILURES = 3  # in a row: then it is the device, and not one of the files


def bisect(
    graph: CutGraph,
    artifact: Artifact,
    device: Device,
    name: str,
    runtime: str | None = None,
    reproducers: Path | None = None,
    *,
    most: int | None = None,
    progress: Progress = lambda _: None,
) -> Bisection:
    """Find the operators of ``artifact`` that ``device`` computes wrongly.

    Args:
        graph: of the file, for the input to run it on.
        artifact: the file.
        device: where to run it.
        name: of the input.
        runtime: to run it in there; None: that of the format.
        reproducers: a folder for files of the wrong operators alone, with their inputs.
        most: of wrong operators to find; None: all.
        progress: is given a sentence for each run.

    Raises:
        UsageError: it takes no inputs from here, or does not run such files.
        MissingError, MeasurementError: the whole file does not run there.
    """
    runtime = check_runs(device, artifact.manifest.format, runtime)
    with scratch_folder() as folder, device.session(runtime, progress):
        search = _Search(graph, artifact, device, runtime, folder, progress)
        wrong: list[WrongPart] = []
        ended = None
        try:
            for found in islice(find_wrong(len(graph.operators), search.probe), most):
                wrong.append(search.describe(found, len(wrong) + 1, reproducers))
        except _LostDeviceError as lost:
            ended = f"{lost.reason}; {search.narrowed()}"
        return Bisection(
            device.name,
            f"{runtime} {search.version}",
            graph.reference,
            name,
            len(graph.operators),
            search.tolerance.max_rel_error,
            search.whole_error,
            tuple(wrong),
            search.runs,
            search.repeat_error,
            search.refused,
            search.unseen,
            ended,
        )


class _LostDeviceError(Exception):
    """The device stopped answering while parts were run."""

    def __init__(self, error: AffnetError) -> None:
        self.reason = first_line(error).rstrip(".")


class _Search:
    """Runs parts of a file on a device, and keeps what they gave."""

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
        self._live = Liveness(graph)
        self.tolerance = TOLERANCES[artifact.manifest.precision]
        if artifact.manifest.precision not in ("fp32", "fp16"):
            self.tolerance = _FEW_BITS
        self.runs = self.refused = self.unseen = self._failures = 0
        self.repeat_error = 0.0
        self.version = ""
        self._compared: dict[tuple[int, int], dict[str, InputParity]] = {}
        self._given: dict[tuple[int, int], Mapping[str, NDArray[Any]]] = {}
        self._known = (0, len(graph.operators))  # right up to the first, wrong at the second

    @property
    def whole_error(self) -> InputParity:
        """How far the whole file is off."""
        return max(self._compared[0, len(self._graph.operators)].values(), key=badness)

    def probe(self, start: int, end: int) -> bool | None:
        """See `Probe`."""
        count = len(self._graph.operators)
        part = whole(self._graph) if (start, end) == (0, count) else self._live.part(start, end)
        found = self._comparison(part)
        if found is None:
            self.unseen = max(self.unseen, count - start) if end == count else self.unseen
            return None
        wrong = any(not one.passed for one in found.values())
        self._compared[start, end] = found
        if end == count:
            self._known, self.unseen = (start, end), 0
        elif start >= self._known[0]:
            self._known = (self._known[0], end) if wrong else (end, self._known[1])
        return wrong

    def _comparison(self, part: Part) -> dict[str, InputParity] | None:
        """Run a part, and compare each value that it gives; None where it cannot be run."""
        if not part.writes:
            return {}
        values = self._graph.values((*part.reads, *part.writes))
        if any(values[name] is None for name in (*part.reads, *part.writes)):
            return None
        known = {name: value for name, value in values.items() if value is not None}
        feed = [self._graph.stored(name, known[name]) for name in part.reads]
        if any(_lost(known[name], one) for name, one in zip(part.reads, feed, strict=True)):
            return None  # a value that the file cannot store: what reads it cannot be judged
        given = self._run(part, tuple(feed))
        if given is None:
            return None
        self._given[part.start, part.end] = dict(zip(part.writes, given, strict=True))
        return {
            name: compare_input(name, [_number(known[name])], [_number(array)], self.tolerance)
            for name, array in zip(part.writes, given, strict=True)
        }

    def _run(self, part: Part, feed: Arrays) -> Sequence[NDArray[Any]] | None:
        """Return what a part gives on the device; None where it refuses the file."""
        is_whole = part == whole(self._graph)
        artifact = self._artifact if is_whole else self._written(part)
        if artifact is None:
            return None
        for attempt in (1, 2):
            try:
                given = self._on_device(part, artifact, feed, repeat=is_whole)
                self._failures = 0
                return given
            except (ConnectionLostError, MissingError) as error:
                if is_whole:
                    raise
                raise _LostDeviceError(error) from error
            except (ArtifactError, MeasurementError) as error:
                if is_whole:
                    raise
                if isinstance(error, ArtifactError) or attempt == 2:
                    self._refuse(error)
                    return None
        raise AssertionError("each attempt returns or raises")

    def _refuse(self, error: AffnetError) -> None:
        """Count a file that the device did not run; where it runs none any more, stop."""
        self.refused += 1
        self._failures += not isinstance(error, ArtifactError)
        if self._failures == _MOST_FAILURES:
            raise _LostDeviceError(error) from error

    def _written(self, part: Part) -> Artifact | None:
        path = self._folder / f"part{self._artifact.path.suffix}"
        return self._graph.write(part, path)

    def _on_device(
        self, part: Part, artifact: Artifact, feed: Arrays, *, repeat: bool
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
            if repeat:
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

    def narrowed(self) -> str:
        """Say how far the search for the next wrong operator had come."""
        good, bad = self._known
        first, last = self._graph.operators[good], self._graph.operators[bad - 1]
        return (
            f"the next wrong operator is one of the {bad - good} from {first.name} ({first.kind}) "
            f"to {last.name} ({last.kind})"
        )

    def describe(self, found: WrongOperators, number: int, reproducers: Path | None) -> WrongPart:
        """Say what is wrong of operators that were found, and write a file of them."""
        key = found.start, found.end
        part, given = self._live.part(*key), self._given[key]
        wrong = describe(self._graph, part, self._compared[key], given, self._artifact)
        wrong = dataclasses.replace(wrong, together=found.together, runs=self.runs)
        if reproducers is None:
            return wrong
        path = reproducers / file_name(number, wrong, self._artifact)
        write_reproducer(self._graph, part, given, path)
        return dataclasses.replace(wrong, reproducer=str(path))


def _lost(value: NDArray[Any], stored: NDArray[Any]) -> bool:
    """Return whether a finite value is none any more in the type that a file stores it in."""
    if value.dtype == stored.dtype or stored.dtype.kind != "f":
        return False
    return bool((np.isfinite(value) & ~np.isfinite(stored)).any())


def _number(array: NDArray[Any]) -> NDArray[Any]:
    """Return what is compared by size: values of 8 bits are such, indices and truth are not."""
    return array.astype(np.float32) if array.dtype in (np.int8, np.uint8) else array


def _difference(first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]]) -> float:
    """Return the largest difference of two runs over the largest value of each output."""
    exact = Tolerance(math.inf)
    pairs = zip(first, second, strict=True)
    return max(
        compare_input("", [_number(one)], [_number(other)], exact).max_rel_error
        for one, other in pairs
    )
