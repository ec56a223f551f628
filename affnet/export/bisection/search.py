"""The search for wrong operators, without any runtime in it.

A file's operators stand in an order in which each reads only what those before it made, numbered
from 0.  The cut ``k`` lies before operator ``k``; what is alive there are all values that operators
before it made and that operators behind it, or the file's outputs, read.  A probe runs the
operators between two cuts on values of the reference, and compares *all* that is alive at the later
one.

The search narrows from the front: it lets the device compute less and less of what leads to one
cut, which is wrong with the wrong operator and right without.  Cuts in the middle would have to
show the error themselves, and one may be small there beside what it was added to.  So the last
wrong operator is found first, and then the operators before it are searched up to the cut in front
of it.

Whatever is named was seen to be wrong: the operators behind it are right on the reference's values,
and with it they are not.  An error that vanishes before that cut, as behind a ReLU that it only
made more negative, stays unnamed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

#: Whether what is alive at the second cut is wrong if the operators from the first one on are run
#: on the reference's values; None where the graph cannot be cut there.
Probe = Callable[[int, int], bool | None]


@dataclass(frozen=True)
class WrongOperators:
    """Operators ``start`` to ``end - 1``, the fewest that are wrong on the reference's values.

    Several are those of a part that cannot be cut, those that a runtime fuses, or those whose
    single errors are allowed and add up; ``together`` tells the latter two from the first.
    """

    start: int
    end: int
    together: bool = False


def find_wrong(count: int, probe: Probe) -> Iterator[WrongOperators]:
    """Yield the wrong ones among ``count`` operators, the last first, each as soon as it is found.

    Each single one takes one probe of all that is left, at most ``ceil(log2(count))`` to narrow it
    down, and one of the operator alone; a last probe finds the rest right.  Operators that are
    wrong only together take some more, and are named where the file's outputs show them: at a cut
    in the middle, errors that are allowed each may add up to much of a value that is small there.
    Those in front of a wrong one are passed over where what they give cannot be compared.
    """
    end = count
    while end:
        rest = probe(0, end)
        if rest is None:
            end -= 1
            continue
        if not rest:
            return
        found = _last_wrong(end, probe)
        if end == count or not found.together:
            yield found
        end = found.start


def _last_wrong(end: int, probe: Probe) -> WrongOperators:
    """Return the last wrong operators in front of a cut that is wrong."""
    start, right = _narrow(0, end, lambda cut: probe(cut, end))
    alone = start + 1 == end or probe(start, start + 1)
    if alone:
        return WrongOperators(start, start + 1)
    wrong: bool | None = alone  # up to the first cut that is right to begin at
    if right > start + 1:
        wrong = right == end or probe(start, right)
    low, high = (start + 1, right) if wrong else _widen(start, right, end, probe)
    _, high = _narrow(low, high, lambda cut: _opposite(probe(start, cut)))
    return WrongOperators(start, high, together=wrong is False)


def _narrow(low: int, high: int, like_low: Callable[[int], bool | None]) -> tuple[int, int]:
    """Return neighbouring cuts of which the first is like ``low`` and the second like ``high``.

    Between them are none but those that cannot be made.
    """
    uncut: set[int] = set()
    while open_ := [cut for cut in range(low + 1, high) if cut not in uncut]:
        cut = open_[(len(open_) - 1) // 2]
        found = like_low(cut)
        if found is None:
            uncut.add(cut)
        elif found:
            low = cut
        else:
            high = cut
    return low, high


def _widen(start: int, right: int, end: int, probe: Probe) -> tuple[int, int]:
    """Return two cuts between which the operators from ``start`` on become wrong.

    Up to ``right`` they are right, and up to ``end`` wrong.  Those that are fused are few, so that
    steps grow from one.
    """
    step = 1
    while (cut := right + step) < end:
        if probe(start, cut):
            return right, cut
        right, step = cut, 2 * step
    return right, end


def _opposite(found: bool | None) -> bool | None:
    return None if found is None else not found
