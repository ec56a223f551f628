"""Which parts of a network a device's own float16 arithmetic hurts, and so stay in float32.

`mixed_precision` finds by computing here what float16 cannot store.  What a processor loses that
also adds in float16 only shows on it, as an error of a whole file.  A part is a module, as
`affnet.export.quantization.layers.part_of` names it; the error of one is that of a file in which
nothing else is in float16.  Errors of parts are small and independent, so that their squares add up
nearly: the worst group of parts is halved until so many single parts are found that the rest holds
the bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_MARGIN = 0.8  # of the bound: what the sum of squares may reach, as it is an estimate
_TIGHTER = 0.7  # by so much again where the file made by it still misses the bound


@dataclass(frozen=True)
class HalfPart:
    """A part that stays in float32, and why."""

    part: str
    error: float | None  # about that with this part alone in float16, in bounds; None: not finite

    def described(self) -> dict[str, str | float | None]:
        """Return it for a manifest."""
        return {"part": self.part, "error": self.error}


def parts_in_float32(
    parts: Sequence[str], excess: Callable[[frozenset[str]], float]
) -> list[HalfPart]:
    """Return which of ``parts`` must stay in float32, the largest error first.

    Args:
        parts: in the order in which they run; neighbours are measured together.
        excess: the error of a file with those parts in float32, as a multiple of what is allowed;
            infinity where it gives no finite number.
    """
    whole = excess(frozenset())
    if whole <= 1:
        return []
    search = _Search(parts, excess, whole)
    allowed = _MARGIN
    while search.groups:
        search.keep_until(allowed)
        if excess(frozenset(kept.part for kept in search.kept)) <= 1:
            break
        allowed *= _TIGHTER
    return sorted(search.kept, key=lambda kept: -_number(kept.error))


class _Search:
    """Groups of parts with the squares of their errors, and the parts that are kept."""

    def __init__(
        self, parts: Sequence[str], excess: Callable[[frozenset[str]], float], whole: float
    ) -> None:
        self._all, self._excess = frozenset(parts), excess
        self.groups: list[tuple[float, tuple[str, ...]]] = [(whole**2, tuple(parts))]
        self.kept: list[HalfPart] = []

    def keep_until(self, allowed: float) -> None:
        """Halve the worst group, or keep it where it is one part, until the rest is allowed.

        At least one part is kept: what was kept before did not suffice.
        """
        before = len(self.kept)
        while self.groups and (
            len(self.kept) == before or sum(square for square, _ in self.groups) > allowed**2
        ):
            worst = max(self.groups)
            self.groups.remove(worst)
            square, parts = worst
            if len(parts) == 1:
                error = math.sqrt(square)
                finite = round(error, 3) if math.isfinite(error) else None
                self.kept.append(HalfPart(parts[0], finite))
                continue
            middle = len(parts) // 2
            first = self._square(parts[:middle])
            # squares add up nearly, so that the other half need not run
            rest = square - first if math.isfinite(square) else self._square(parts[middle:])
            self.groups += [(first, parts[:middle]), (max(rest, 0.0), parts[middle:])]

    def _square(self, parts: tuple[str, ...]) -> float:
        return self._excess(self._all - set(parts)) ** 2


def _number(error: float | None) -> float:
    return math.inf if error is None else error
