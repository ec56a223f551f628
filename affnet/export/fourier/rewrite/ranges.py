"""Sets of indices along an axis, as sorted ranges that do not touch: ((0, 9), (120, 128))."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Each range from its first index to the one after its last.
Ranges: TypeAlias = tuple[tuple[int, int], ...]


def whole(length: int) -> Ranges:
    """Return all indices of an axis."""
    return ((0, length),) if length else ()


def united(*sets: Ranges) -> Ranges:
    """Return the indices that are in any of ``sets``."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(piece for ranges in sets for piece in ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        elif stop > start:
            merged.append((start, stop))
    return tuple(merged)


def within(ranges: Ranges, start: int, stop: int) -> Ranges:
    """Return the indices from ``start`` to ``stop``, counted from ``start``."""
    clipped = ((max(a, start), min(b, stop)) for a, b in ranges)
    return tuple((a - start, b - start) for a, b in clipped if b > a)


def shifted(ranges: Ranges, by: int) -> Ranges:
    """Return every index plus ``by``."""
    return tuple((a + by, b + by) for a, b in ranges)


def without(ranges: Ranges, start: int, stop: int) -> Ranges:
    """Return the indices outside ``start`` to ``stop``."""
    pieces = [piece for a, b in ranges for piece in ((a, min(b, start)), (max(a, stop), b))]
    return tuple((a, b) for a, b in pieces if b > a)


def count(ranges: Ranges) -> int:
    """Return how many indices there are."""
    return sum(b - a for a, b in ranges)


def position(ranges: Ranges, index: int) -> int:
    """Return how many indices stand before ``index``."""
    return sum(min(b, index) - a for a, b in ranges if a < index)


def indices(ranges: Ranges) -> NDArray[np.int64]:
    """Return the indices in their order."""
    pieces = [np.arange(a, b, dtype=np.int64) for a, b in ranges]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
