"""A file whose operators can be run in parts, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from affnet.artifact import Artifact, TensorSpec


@dataclass(frozen=True)
class Operator:
    """One operator of a file, in an order in which each stands behind those that it reads."""

    name: str
    kind: str
    module: str | None  # of the PyTorch network, where the file names it
    reads: tuple[str, ...]  # values that depend on the file's inputs; constants are not among them
    writes: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Operators ``start`` to ``end - 1``, and the values at their borders."""

    start: int
    end: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]


class CutGraph(Protocol):
    """A file, the values that a reference computes in it for one input, and parts of it."""

    reference: ClassVar[str]  # what computes it, for people
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def operators(self) -> Sequence[Operator]:
        """The operators, each behind those that it reads."""
        ...

    def values(self, names: Sequence[str]) -> Mapping[str, NDArray[Any] | None]:
        """Return values in the reference, not rounded to what the file stores; None: no tensor."""
        ...

    def stored(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """Return ``value`` in the type that the file stores it in."""
        ...

    def write(self, part: Part, path: Path) -> Artifact | None:
        """Write ``part`` as a file that takes what it reads and gives what it writes.

        None where the format cannot hold it.
        """
        ...


def value_spec(name: str, value: NDArray[Any], dtype: str | None = None) -> TensorSpec:
    """Return how a part takes or gives a value, by default in the type of the array.

    An integer is fed within what it was: it may be an index, and any other may not exist.
    """
    integers = value.dtype.kind in "iu" and value.size > 0
    bounds = (float(value.min()), float(value.max())) if integers else None
    return TensorSpec(name, value.shape, dtype or value.dtype.name, range=bounds)


def whole(graph: CutGraph) -> Part:
    """Return all operators as a part."""
    return Part(0, len(graph.operators), graph.inputs, graph.outputs)


class Liveness:
    """Which values are alive where."""

    def __init__(self, graph: CutGraph) -> None:
        self._graph = graph
        self._last_read: dict[str, int] = {}
        for index, operator in enumerate(graph.operators):
            self._last_read.update(dict.fromkeys(operator.reads, index))
        self._last_read.update(dict.fromkeys(graph.outputs, len(graph.operators)))

    def part(self, start: int, end: int) -> Part:
        """Return the operators between two cuts; it gives those of their values that live on."""
        chosen = self._graph.operators[start:end]
        made = [name for operator in chosen for name in operator.writes]
        own = set(made)
        reads = dict.fromkeys(
            name for operator in chosen for name in operator.reads if name not in own
        )
        writes = tuple(name for name in made if self._last_read.get(name, -1) >= end)
        return Part(start, end, tuple(reads), writes)
