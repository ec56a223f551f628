"""The search for wrong operators, without any runtime in it.

A file's operators stand in an order in which each reads only what those before it made, numbered
from 0.  The cut ``k`` lies before operator ``k``; what is alive there are all values that operators
before it made and that operators behind it, or the file's outputs, read.  A probe runs the
operators between two cuts on values of the reference, and compares *all* that is alive at the later
one.  So an error that has left one value is still seen in the others, and a wrong operator shows at
each cut behind it unless its error vanishes altogether, as behind a ReLU that it only made more
negative.

Whatever is named was seen to be wrong: the operators before it agree at their cut, and with it they
do not.  What vanishes before the cuts that are tried may stay unnamed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

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
    """Yield the wrong ones among ``count`` operators in their order, each as soon as it is found.

    Each single one takes one probe of all the rest, at most ``ceil(log2(count))`` to narrow it
    down, and one of the operator alone; a last probe finds the rest right.  One whose error is
    small beside what it is added to, until that is taken off again, takes some more.  Operators
    behind a wrong one that cannot be fed are passed over until one can.
    """
    start = 0
    while start < count:
        rest = probe(start, count)
        if rest is None:
            start += 1
            continue
        if not rest:
            return
        good, bad = _narrow(start, count, partial(probe, start))
        together = False
        if good > start and not probe(good, bad):
            good = _begin(start, good, bad, probe)
            # its error may only have been small beside what it was added to
            together = not probe(good, good + 1)
            bad = bad if together else good + 1
        yield WrongOperators(good, bad, together)
        start = bad


def _narrow(good: int, bad: int, is_bad: Callable[[int], bool | None]) -> tuple[int, int]:
    """Return neighbouring cuts of which the first is good and the second bad, as the given are."""
    uncut: set[int] = set()
    while open_ := [cut for cut in range(good + 1, bad) if cut not in uncut]:
        cut = open_[(len(open_) - 1) // 2]
        found = is_bad(cut)
        if found is None:
            uncut.add(cut)
        elif found:
            bad = cut
        else:
            good = cut
    return good, bad


def _begin(start: int, good: int, bad: int, probe: Probe) -> int:
    """Return the last cut before ``good`` from which on the operators up to ``bad`` are wrong.

    They are from ``start`` on.  Operators that are fused are few, so that steps back grow from one.
    """
    right, step = good, 1
    while (cut := good - step) > start:
        if probe(cut, bad):
            start = cut
            break
        right, step = cut, 2 * step
    # going back, wrong comes after right: the order of `_narrow` mirrored
    _, begin = _narrow(-right, -start, lambda cut: probe(-cut, bad))
    return -begin
