"""Neighboring axes that an operator need not tell apart."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence

Groups = list[list[int]]  # neighboring axes, each group one axis


def neighbors(keys: Iterable[Hashable], sizes: Sequence[int]) -> Groups:
    """Return the axes of more than one place in groups: neighbors of the same key."""
    groups: Groups = []
    last: Hashable = None
    for axis, (key, size) in enumerate(zip(keys, sizes, strict=True)):
        if size == 1:
            continue
        if groups and key == last:
            groups[-1].append(axis)
        else:
            groups.append([axis])
        last = key
    return groups


def grouped(sizes: Sequence[int], groups: Groups) -> list[int]:
    """Return the sizes of axes that are ``groups`` of those of ``sizes``."""
    return [math.prod(sizes[axis] for axis in group) for group in groups]
