"""Faults that a converter could make, by kind."""

from __future__ import annotations

from itertools import cycle, islice

from benchmarks.proof.faults import (
    axes,
    branches,
    constants,
    operators,
    ranges,
    transforms,
    weights,
)
from benchmarks.proof.faults.base import Fault

#: What the faults of a kind have in common stands in their module's docstring.
KINDS: dict[str, tuple[Fault, ...]] = {
    "operator": operators.FAULTS,
    "constant": constants.FAULTS,
    "range": ranges.FAULTS,
    "branch": branches.FAULTS,
    "axes": axes.FAULTS,
    "weight": weights.FAULTS,
    "transform": transforms.FAULTS,
}


def fault_number(number: int) -> tuple[str, Fault]:
    """Return kind and fault of a number: kinds by turns, so that few faults have every kind."""
    kind = list(KINDS)[number % len(KINDS)]
    faults = cycle(KINDS[kind])
    return kind, next(islice(faults, number // len(KINDS), None))
