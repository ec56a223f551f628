"""The operators that a device computes wrongly: cut files, run there, beside the reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.devices.base import Device, Progress
from affnet.devices.inference import check_runs
from affnet.errors import MeasurementError, UsageError
from affnet.export.bisection.description import describe, file_name, write_reproducer
from affnet.export.bisection.graph import CutGraph, Liveness, whole
from affnet.export.bisection.part_runner import LostDeviceError, PartRunner, number
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
        most: of wrong operators to find; None: all, and whether two runs of the file differ.
        progress: is given a sentence for each run.

    Raises:
        UsageError: it takes no inputs from here, or does not run such files; nothing that the file
            gives for the input can be compared.
        MissingError, MeasurementError: the whole file does not run there.
    """
    runtime = check_runs(device, artifact.manifest.format, runtime)
    if not graph.operators:
        raise UsageError(f"No operator of {artifact.path.name} reads its inputs.")
    with scratch_folder() as folder, device.session(runtime, progress):
        runner = PartRunner(graph, artifact, device, runtime, folder, progress)
        search = _Search(graph, artifact, runner, twice=most is None)
        wrong: list[WrongPart] = []
        ended = None
        try:
            for found in islice(find_wrong(len(graph.operators), search.probe), most):
                wrong.insert(0, search.describe(found, reproducers))  # the last is found first
                progress(f"{_named(wrong[0])} is wrong on {device.name}")
        except LostDeviceError as lost:
            ended = f"{lost.reason}; {search.narrowed()}"
        assert search.whole_error is not None  # the whole file was run first
        return Bisection(
            device.name,
            f"{runtime} {runner.version}",
            graph.reference,
            name,
            len(graph.operators),
            search.tolerance.max_rel_error,
            search.whole_error,
            tuple(wrong),
            runner.runs,
            runner.repeat_error,
            runner.refused,
            search.unseen,
            ended,
        )


def _named(wrong: WrongPart) -> str:
    more = len(wrong.operators) - 1
    return f"{wrong.operators[0]} ({wrong.kinds[0]})" + f", with {more} behind it," * (more > 0)


def wrong_alone(
    graph: CutGraph,
    artifact: Artifact,
    device: Device,
    names: Collection[str],
    runtime: str | None = None,
    *,
    progress: Progress = lambda _: None,
) -> list[str]:
    """Return which operators of those called ``names`` are wrong, each run alone as by `bisect`.

    Raises:
        MeasurementError: the device stopped running them.
        AffnetError: as `bisect`.
    """
    runtime = check_runs(device, artifact.manifest.format, runtime)
    if not names:
        return []
    with scratch_folder() as folder, device.session(runtime, progress):
        search = _Search(
            graph, artifact, PartRunner(graph, artifact, device, runtime, folder, progress)
        )
        try:
            return [
                operator.name
                for index, operator in enumerate(graph.operators)
                if operator.name in names and search.probe(index, index + 1)
            ]
        except LostDeviceError as lost:
            raise MeasurementError(f"{lost.reason}.") from lost


@dataclass(frozen=True)
class _Outcome:
    """What a part gave, and how far that is from the reference, by the value's name."""

    parities: Mapping[str, InputParity]
    given: Mapping[str, NDArray[Any]]

    @property
    def wrong(self) -> bool:
        return not all(one.passed for one in self.parities.values())


class _Search:
    """Compares what parts of a file give on a device, and keeps what was wrong."""

    def __init__(
        self, graph: CutGraph, artifact: Artifact, runner: PartRunner, *, twice: bool = False
    ) -> None:
        self._graph, self._artifact, self._runner = graph, artifact, runner
        self._live = Liveness(graph)
        self.tolerance = TOLERANCES[artifact.manifest.precision]
        if artifact.manifest.precision not in ("fp32", "fp16"):
            self.tolerance = _FEW_BITS
        self._twice = twice  # the whole file runs
        self.whole_error: InputParity | None = None  # how far the whole file is off
        self._wrong: dict[tuple[int, int], _Outcome] = {}
        self._unseen = {*range(len(graph.operators))}  # neither named nor in a part that is right
        self._known = (0, len(graph.operators))  # wrong from the first on, right from the second
        self._end = len(graph.operators)  # of the operators that are searched

    @property
    def unseen(self) -> int:
        """How many operators nothing is known of."""
        return len(self._unseen)

    def probe(self, start: int, end: int) -> bool | None:
        """See `Probe`."""
        outcome = self._outcome(start, end)
        if outcome is None:
            if self._is_whole(start, end):
                raise UsageError(
                    f"{self._artifact.path.name} takes or gives what cannot be compared: no "
                    "tensor, or numbers that its types do not hold",
                    "give it other inputs (--verify-on).",
                )
            return None
        if outcome.wrong:
            self._wrong[start, end] = outcome
        else:
            self._unseen -= {*range(start, end)}
        if start == 0:
            self._end, self._known = end, (0, end)
        elif end == self._end:
            self._known = (start, self._known[1]) if outcome.wrong else (self._known[0], start)
        return outcome.wrong

    def _is_whole(self, start: int, end: int) -> bool:
        return (start, end) == (0, len(self._graph.operators))

    def _outcome(self, start: int, end: int) -> _Outcome | None:
        """Run operators, and compare each value that they give; None where that cannot be done."""
        is_whole = self._is_whole(start, end)
        part = whole(self._graph) if is_whole else self._live.part(start, end)
        if not part.writes:
            return _Outcome({}, {})
        values = self._graph.values((*part.reads, *part.writes))
        known = {name: value for name, value in values.items() if value is not None}
        if known.keys() < values.keys():
            return None
        feed = [self._graph.stored(name, known[name]) for name in part.reads]
        if any(_lost(known[name], one) for name, one in zip(part.reads, feed, strict=True)):
            return None  # a value that the file cannot store: what reads it cannot be judged
        given = (
            self._runner.run_whole(part, tuple(feed), twice=self._twice)
            if is_whole
            else self._runner.run(part, tuple(feed))
        )
        if given is None:
            return None
        parities = {
            name: compare_input(name, [number(known[name])], [number(array)], self.tolerance)
            for name, array in zip(part.writes, given, strict=True)
        }
        if is_whole:
            self.whole_error = max(parities.values(), key=badness)
        return _Outcome(parities, dict(zip(part.writes, given, strict=True)))

    def narrowed(self) -> str:
        """Say how far the search for the next wrong operator had come."""
        bad, good = self._known
        first, last = self._graph.operators[bad], self._graph.operators[good - 1]
        return (
            f"the next wrong operator is one of the {good - bad} from {first.name} ({first.kind}) "
            f"to {last.name} ({last.kind})"
        )

    def describe(self, found: WrongOperators, reproducers: Path | None) -> WrongPart:
        """Say what is wrong of operators that were found, and write a file of them."""
        key = found.start, found.end
        self._unseen -= {*range(*key)}
        part, outcome = self._live.part(*key), self._wrong[key]
        wrong = describe(
            self._graph,
            part,
            outcome.parities,
            outcome.given,
            self._artifact,
            together=found.together,
            runs=self._runner.runs,
        )
        if reproducers is None:
            return wrong
        path = reproducers / file_name(found.start + 1, wrong, self._artifact)
        write_reproducer(self._graph, part, outcome.given, path)
        return dataclasses.replace(wrong, reproducer=str(path))


def _lost(value: NDArray[Any], stored: NDArray[Any]) -> bool:
    """Return whether a finite value is none any more in the type that a file stores it in."""
    if value.dtype == stored.dtype or stored.dtype.kind != "f":
        return False
    return bool((np.isfinite(value) & ~np.isfinite(stored)).any())
