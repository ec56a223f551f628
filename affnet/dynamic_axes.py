"""Axes whose lengths a file leaves open, as ``--dynamic`` names them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from affnet.errors import UsageError

#: Names that say which axes they are of: the first, and the last of each signal.
BATCH, TIME = "batch", "time"
_ENTRY = re.compile(
    r"(?:(?P<input>\w+):(?P<axis>-?\d{1,2})=)?(?P<name>[A-Za-z_]\w*)"
    r"(?::(?P<low>\d{1,9})\.\.(?P<high>\d{1,9}))?"
)
_FORMS = (
    "write batch, time or INPUT:AXIS=NAME, with a range where it matters, as in "
    "--dynamic x:0=batch,x:2=time:800..16000"
)
_SIGNAL_RANK = 3  # N x channels x samples at most; what has more axes is no signal
_SIGNAL_LENGTH = 16  # of the last axis, at least
_MOST_BY_DEFAULT = 4  # of a batch of one
_SMALLEST_HIGH = 2  # what may only be 1 is not dynamic


@dataclass(frozen=True)
class DynamicAxis:
    """A length that a file leaves open, of one axis or of several."""

    name: str
    example: int  # its length in the network's example
    low: int  # the range that the file is made for
    high: int
    verified: tuple[int, ...] = ()  # at which it was compared with PyTorch

    def lengths(self) -> tuple[int, ...]:
        """Return the lengths to verify: the ends of the range, and one between."""
        between = self.example
        if not self.low < between < self.high:
            between = (self.low + self.high) // 2
        return tuple(sorted({self.low, between, self.high}))

    def __str__(self) -> str:
        at = f" (verified at {', '.join(map(str, self.verified))})" if self.verified else ""
        return f"{self.name} {self.low}..{self.high}{at}"


@dataclass(frozen=True)
class Entry:
    """One entry of ``--dynamic``; without an input, its name says which axes it is of."""

    name: str
    input: str | None
    axis: int | None
    span: tuple[int, int] | None


@dataclass(frozen=True)
class Placed:
    """Which axes are dynamic: of each input, the name of each open axis, and their ranges."""

    names: Mapping[str, Mapping[int, str]]
    axes: tuple[DynamicAxis, ...]


def parse_dynamic(text: str) -> tuple[Entry, ...]:
    """Return the entries of ``--dynamic``.

    Raises:
        UsageError: one is of no form that is known, or of an empty range.
    """
    entries = []
    for each in text.split(","):
        found = _ENTRY.fullmatch(each.strip())
        if found is None or (found["input"] is None and found["name"] not in (BATCH, TIME)):
            raise UsageError(f"--dynamic: {each.strip()!r} names no axis", f"{_FORMS}.")
        span = (int(found["low"]), int(found["high"])) if found["low"] else None
        if span is not None and not (1 <= span[0] <= span[1] and span[1] >= _SMALLEST_HIGH):
            raise UsageError(
                f"--dynamic: {each.strip()!r} has the range {span[0]} to {span[1]}",
                f"{_FORMS}, from 1 upwards.",
            )
        axis = None if found["axis"] is None else int(found["axis"])
        entries.append(Entry(found["name"], found["input"], axis, span))
    return tuple(entries)


def place(
    entries: Sequence[Entry], shapes: Mapping[str, tuple[int, ...]], floats: Sequence[str]
) -> Placed:
    """Say which axes of inputs of ``shapes`` are dynamic; ``floats`` are those of numbers.

    Raises:
        UsageError: there is no such input or axis, an axis or a length has two names or ranges, or
            a range does not hold the example's length.
    """
    names: dict[str, dict[int, str]] = {name: {} for name in shapes}
    axes: dict[str, DynamicAxis] = {}
    for entry in entries:
        for label, axis in _places(entry, shapes, floats):
            if axis in names[label]:
                raise UsageError(
                    f"--dynamic names axis {axis} of {label} twice", "name each axis once."
                )
            names[label][axis] = entry.name
            found = _ranged(entry, shapes[label][axis], axes.get(entry.name))
            axes[entry.name] = found
    return Placed(names, tuple(axes.values()))


def _places(
    entry: Entry, shapes: Mapping[str, tuple[int, ...]], floats: Sequence[str]
) -> Iterator[tuple[str, int]]:
    """Yield input and axis of each place that an entry names."""
    if entry.input is None:
        found = [
            (label, 0 if entry.name == BATCH else len(shape) - 1)
            for label, shape in shapes.items()
            if (shape if entry.name == BATCH else label in floats and _is_signal(shape))
        ]
        if not found:
            what = "with axes" if entry.name == BATCH else "that is a signal (its last axis >= 16)"
            raise UsageError(
                f"--dynamic {entry.name}: there is no input {what}; there are {_listed(shapes)}",
                "name input and axis, as in x:2=time.",
            )
        yield from found
        return
    if entry.input not in shapes:
        raise UsageError(
            f"--dynamic: there is no input {entry.input!r}; there are {_listed(shapes)}",
            "name one of these.",
        )
    assert entry.axis is not None  # given with the input
    rank = len(shapes[entry.input])
    if not -rank <= entry.axis < rank:
        raise UsageError(
            f"--dynamic: {entry.input!r} has no axis {entry.axis}; there are {_listed(shapes)}",
            f"count axes from 0 to {rank - 1}." if rank else "drop it: it is a single number.",
        )
    yield entry.input, entry.axis % rank


def _is_signal(shape: tuple[int, ...]) -> bool:
    return 1 <= len(shape) <= _SIGNAL_RANK and shape[-1] >= _SIGNAL_LENGTH


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(
        f"{name} ({' x '.join(map(str, s)) or 'a scalar'})" for name, s in shapes.items()
    )


def _ranged(entry: Entry, length: int, known: DynamicAxis | None) -> DynamicAxis:
    """Return the axis of an entry; ``known`` is what was found of its name before."""
    low, high = entry.span or (max(1, length // 2), max(_MOST_BY_DEFAULT, 2 * length))
    if known is not None:
        if known.example != length:
            raise UsageError(
                f"--dynamic: {entry.name} is {known.example} in one input of the example and "
                f"{length} in another",
                "give lengths that differ names that differ, as in x:2=time,y:2=other.",
            )
        if entry.span is None:
            return known
    if not low <= length <= high:
        raise UsageError(
            f"--dynamic: {entry.name} is {length} in the example, outside {low} to {high}",
            "give a range that holds it.",
        )
    return DynamicAxis(entry.name, length, low, high)


def runs(axes: Sequence[DynamicAxis]) -> list[dict[str, int]]:
    """Return the lengths to verify on, by name: all axes short, all between, all long."""
    lengths = {axis.name: axis.lengths() for axis in axes}
    count = max(map(len, lengths.values()), default=0)
    return [
        {name: each[number * len(each) // count] for name, each in lengths.items()}
        for number in range(count)
    ]


def verified(axes: Sequence[DynamicAxis]) -> tuple[DynamicAxis, ...]:
    """Return ``axes`` with the lengths of `runs`, and that of the example."""
    return tuple(
        replace(axis, verified=tuple(sorted({*axis.lengths(), axis.example}))) for axis in axes
    )


def check_lengths(
    given: Mapping[str, tuple[tuple[int | str, ...], tuple[int, ...]]], axes: Sequence[DynamicAxis]
) -> None:
    """Refuse arrays whose open axes are of lengths that differ, or that the file is not made for.

    ``given`` has the shape of each input as the file states it, and that of its array.

    Raises:
        UsageError: with the input and the length.
    """
    known = {axis.name: axis for axis in axes}
    found: dict[str, tuple[int, str]] = {}
    for label, (stated, shape) in given.items():
        for name, length in zip(stated, shape, strict=True):
            if not isinstance(name, str):
                continue
            before, other = found.setdefault(name, (length, label))
            if before != length:
                raise UsageError(
                    f"{name} is {before} in {other!r} and {length} in {label!r}",
                    "give arrays of one length.",
                )
            axis = known.get(name)
            if axis is not None and not axis.low <= length <= axis.high:
                raise UsageError(
                    f"{name} of {label!r} is {length}; the file is made for {axis.low} to "
                    f"{axis.high}",
                    f"export it again with a range: --dynamic {name}:MIN..MAX.",
                )
