"""Which operators of a program must stay in float32 where the rest is in float16.

Float16 ends at 65,504, holds nothing below 6e-8, and three digits between.  What that does to a
program is measured on samples of its input: it is computed twice, in float32 and with every value
rounded that float16 would store.  An operator stays in float32

1. where a constant of it is lost: 1e-10 becomes 0, 1e6 infinity; its result is of no use in
   float16 either, so the operators that read it stay too;
2. where a value that it reads or gives comes within `_HEADROOM` of 65,504;
3. where the outputs are wrong all the same: from them the error is followed back to the operators
   that make it out of inputs that are right, a logarithm of what became 0, say.  They are kept,
   with those before them, the more of those the longer the error stays, at last all.

Nothing here knows a format: a converter gives its program as a `HalfProgram`, which any graph that
can be run operator by operator makes easily.  For an FX graph, `operations` are its nodes, and
`compare` runs two interpreters side by side, one of which rounds (``tensor.half().float()``) each
result of a node that is not in ``float32`` and each argument of such a node.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays

LARGEST = 65504.0  # the largest finite float16
_HEADROOM = 2.0  # of what was seen on the samples, whose extremes are already large
_INFINITE = 1e38  # constants beyond stand for infinity, as in attention masks
_SUBNORMAL = 1e-38  # constants below vanish on devices in float32 too
_CONSTANT_ERROR = 0.25  # of a constant's own peak; 1e-6 is off by 0.01, and still does its work
_OUTPUT_ERROR = 2.5e-2  # of an output's peak: half of what a float16 file may be off
_OUTPUT_PSNR_DB = 43.0  # 3 more than it must have
_ERROR = 1e-2  # of a tensor's peak: beyond it, the operator that made it out of right ones is wrong
_ROUNDS = 12


@dataclass(frozen=True)
class Operation:
    """One operator: its name in the program, what it is, and the tensors that it reads and gives.

    Constants are not among its inputs; ``constants`` has the float ones.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: tuple[NDArray[Any], ...] = ()
    source: str = ""  # the user's line, where it is known

    def described(self) -> str:
        """Return what a report calls it."""
        return f"{self.kind} ({self.name})" + (f", from {self.source}" if self.source else "")


class HalfProgram(Protocol):
    """A program that can be computed in float32 and in a mixture with float16."""

    @property
    def operations(self) -> Sequence[Operation]:
        """Its operators, in the order in which they run."""
        ...

    @property
    def outputs(self) -> Sequence[str]:
        """The tensors that it returns."""
        ...

    def compare(
        self, sample: Arrays, float32: frozenset[str]
    ) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
        """Yield each tensor's name, its value in float32, and that with float16.

        Inputs come first, then the operators' results in their order.  The operators named in
        ``float32`` compute in float32; all others read, and give, what float16 holds.
        """
        ...


@dataclass
class _Seen:
    """What the samples showed of one tensor, the worst of all."""

    peak: float = 0.0
    error: float = 0.0  # of its peak, where float32 is finite
    psnr_db: float = math.inf


@dataclass
class HalfChoice:
    """What stays in float32, with a reason each, and the largest value in float16."""

    kept: dict[str, str] = field(default_factory=dict)  # by the operator's name
    largest: float = 0.0
    operator: str = ""
    operations: dict[str, Operation] = field(default_factory=dict)

    def details(self) -> dict[str, Any]:
        """Return it for a manifest; empty where nothing was measured and nothing is kept."""
        found: dict[str, Any] = {}
        if self.largest:
            found |= {
                "largest": float(f"{self.largest:.6g}"),
                "operator": self.operator,
                "headroom": float(f"{LARGEST / self.largest:.3g}"),
            }
        if self.kept:
            found["kept_float32"] = [
                {"operator": self.operations[name].described(), "reason": reason}
                for name, reason in self.kept.items()
            ]
        return found


def choose_float32(program: HalfProgram, samples: Iterable[Arrays]) -> HalfChoice:
    """Return which operators of ``program`` must stay in float32.

    ``samples`` are inputs of its shape; without any, only its constants are looked at.
    """
    samples = list(samples)
    graph = _Graph(program)
    kept = graph.with_lost_constants()
    seen: dict[str, _Seen] = {}
    depths: dict[str, int] = {}
    compared: Collection[str] | None = {*program.outputs}  # all tensors, once one is wrong
    for _ in range(_ROUNDS if samples else 0):
        seen = _observe(program, samples, frozenset(kept), compared)
        if wide := graph.out_of_range(seen, kept):
            kept |= wide
            continue
        wrong = [name for name in program.outputs if _is_wrong(seen.get(name))]
        if not wrong:
            break
        if compared is not None:
            compared = None
            seen = _observe(program, samples, frozenset(kept), compared)
        kept |= graph.sources(wrong, seen, depths, kept)
    else:
        if samples:
            kept = {op.name: kept.get(op.name, _HOPELESS) for op in program.operations}
    largest, operator = graph.largest(seen, kept)
    return HalfChoice(kept, largest, operator, {op.name: op for op in program.operations})


_HOPELESS = "the outputs stay wrong with less of the program in float32"


class _Graph:
    """Who makes and who reads each tensor."""

    def __init__(self, program: HalfProgram) -> None:
        self.operations = program.operations
        self.producer = {name: op for op in self.operations for name in op.outputs}
        self.readers: dict[str, list[Operation]] = {}
        for op in self.operations:
            for name in op.inputs:
                self.readers.setdefault(name, []).append(op)

    def with_lost_constants(self) -> dict[str, str]:
        """Return the operators with a constant that float16 loses, and those that read them."""
        kept: dict[str, str] = {}
        for op in self.operations:
            for lost in filter(None, map(lost_constant, op.constants)):
                reason = f"its constant {lost} is lost in float16"
                kept.setdefault(op.name, reason)
                for name in op.outputs:
                    for reader in self.readers.get(name, ()):
                        kept.setdefault(reader.name, f"it reads {op.name}, where {reason}")
        return kept

    def out_of_range(self, seen: Mapping[str, _Seen], kept: Mapping[str, str]) -> dict[str, str]:
        """Return the operators, but for those kept, with a value too large for float16."""
        found: dict[str, str] = {}
        for op in self.operations:
            for name in (*op.outputs, *op.inputs):
                peak = seen[name].peak if name in seen else 0.0
                if op.name not in kept and peak > LARGEST / _HEADROOM:
                    found[op.name] = f"{name} reaches {peak:.3g}; float16 ends at 65,504"
                    break
        return found

    def sources(
        self,
        wrong: Sequence[str],
        seen: Mapping[str, _Seen],
        depths: dict[str, int],
        kept: Mapping[str, str],
    ) -> dict[str, str]:
        """Return the operators that make the error of ``wrong`` outputs, with those before them.

        ``depths`` holds how many before each were kept last time; it is about doubled.
        """
        found: dict[str, str] = {}
        for op in self._culprits(wrong, seen):
            depth = depths[op.name] = 2 * depths.get(op.name, 0) + 1
            error = max(seen[name].error for name in op.outputs if name in seen)
            found.setdefault(op.name, f"on inputs rounded to float16 its result is {_off(error)}")
            for before in self._before(op, depth):
                found.setdefault(before.name, f"{op.kind} ({op.name}) needs its digits")
        return {name: reason for name, reason in found.items() if name not in kept}

    def _culprits(self, wrong: Sequence[str], seen: Mapping[str, _Seen]) -> list[Operation]:
        """Follow errors back from outputs, to the operators whose inputs are right."""
        pending, visited, found = list(wrong), set(wrong), {}
        while pending:
            op = self.producer.get(pending.pop())
            if op is None:  # an input of the program
                continue
            bad = [name for name in op.inputs if name in seen and seen[name].error > _ERROR]
            if not bad:
                found[op.name] = op
            pending += [name for name in bad if name not in visited]
            visited.update(bad)
        return list(found.values())

    def _before(self, op: Operation, depth: int) -> list[Operation]:
        """Return the operators that stand up to ``depth`` steps before ``op``."""
        reached: dict[str, Operation] = {}
        front = [op]
        for _ in range(depth):
            makers = [self.producer.get(name) for each in front for name in each.inputs]
            front = [each for each in makers if each is not None and each.name not in reached]
            reached |= {each.name: each for each in front}
        return list(reached.values())

    def largest(self, seen: Mapping[str, _Seen], kept: Mapping[str, str]) -> tuple[float, str]:
        """Return the largest value that is stored in float16, and the operator that makes it."""
        peaks = [
            (seen[name].peak, op)
            for op in self.operations
            for name in op.outputs
            if op.name not in kept and name in seen
        ]
        if not peaks:
            return 0.0, ""
        peak, op = max(peaks, key=lambda pair: pair[0])
        return peak, op.described()


def lost_constant(constant: NDArray[Any]) -> str:
    """Return the value that float16 loses of a constant, as text, or ''."""
    values = np.abs(np.asarray(constant, np.float64))
    values = values[(values > _SUBNORMAL) & (values < _INFINITE)]
    if not values.size:
        return ""
    peak = float(values.max())
    with np.errstate(over="ignore"):
        rounded = float(np.float16(peak))
    return f"{peak:.3g}" if not abs(rounded - peak) <= _CONSTANT_ERROR * peak else ""


def _off(error: float) -> str:
    return f"off by {error:.2g} of its peak" if math.isfinite(error) else "not finite, or not 0"


def _observe(
    program: HalfProgram,
    samples: Sequence[Arrays],
    float32: frozenset[str],
    compared: Collection[str] | None,
) -> dict[str, _Seen]:
    """Return what the samples show of each tensor; errors, of those ``compared``, or of all."""
    seen: dict[str, _Seen] = {}
    with np.errstate(all="ignore"):
        for sample in samples:
            for name, exact, mixed in program.compare(sample, float32):
                asked = compared is None or name in compared
                _note(seen.setdefault(name, _Seen()), exact, mixed if asked else None)
    return seen


def _note(seen: _Seen, exact: NDArray[Any], mixed: NDArray[Any] | None) -> None:
    """Add one sample's values of a tensor to what was seen; where ``exact`` is finite."""
    exact = exact.ravel()
    if not exact.size:
        return
    if exact.dtype == np.bool_:
        exact = exact.astype(np.int8)
    peak, finite = _largest(exact), slice(None)
    if not math.isfinite(peak):
        finite = np.isfinite(exact)
        exact = exact[finite]
        if not exact.size:
            return
        peak = _largest(exact)
    if exact.dtype.kind == "f":  # integers are not rounded, and have no range to leave
        seen.peak = max(seen.peak, peak)
    if mixed is None:
        return
    difference = np.subtract(np.asarray(mixed).ravel()[finite], exact, dtype=np.float64)
    largest = _largest(difference)
    if math.isnan(largest):
        largest = math.inf
    if largest == 0:
        return
    error = largest / peak if peak else math.inf
    seen.error = max(seen.error, error)
    finite_error = math.isfinite(error)
    square = float(np.dot(difference, difference)) / exact.size if finite_error else math.inf
    psnr = 20 * math.log10(peak) - 10 * math.log10(square) if square and peak else -math.inf
    seen.psnr_db = min(seen.psnr_db, psnr)


def _largest(values: NDArray[Any]) -> float:
    """Return the largest magnitude, NaN where there is one; as few passes as there can be."""
    return max(float(values.max()), -float(values.min()))


def _is_wrong(seen: _Seen | None) -> bool:
    return seen is not None and (seen.error > _OUTPUT_ERROR or seen.psnr_db < _OUTPUT_PSNR_DB)
