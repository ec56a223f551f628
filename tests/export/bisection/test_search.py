"""The search alone, over random graphs with planted errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affnet.export.bisection.search import WrongOperators, find_wrong


@dataclass
class Graph:
    """Operators that read values of those before them; each makes one value."""

    reads: list[list[int]]
    wrong: frozenset[int] = frozenset()
    fused: frozenset[int] = frozenset()  # wrong where the one before it is run with it
    hides: frozenset[int] = frozenset()  # gives the right value whatever it reads
    uncut: frozenset[int] = frozenset()
    probes: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)

    def probe(self, start: int, end: int) -> bool | None:
        """Run operators from ``start`` to ``end`` and compare what is alive there."""
        if start in self.uncut or (end in self.uncut and end < len(self.reads)):
            return None
        self.asked.append((start, end))
        bad: set[int] = set()
        for index in range(start, end):
            spoiled = any(read in bad for read in self.reads[index]) and index not in self.hides
            together = index in self.fused and index > start
            if index in self.wrong or together or spoiled:
                bad.add(index)
        count = len(self.reads)
        read_later = {read for index in range(end, count) for read in self.reads[index]}
        outputs = set(range(count)) - {read for reads in self.reads for read in reads}
        return bool(bad & (read_later | outputs))

    def search(self) -> list[tuple[WrongOperators, int]]:
        """Return what is found, each with how many probes were made until then."""
        return [(one, len(self.asked)) for one in find_wrong(len(self.reads), self.probe)]


# what a busy machine takes to draw says nothing
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
_STEPS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60)


def _reads(steps: list[tuple[int, int]]) -> list[list[int]]:
    """Let each operator read two that are so many places before it, where there are such."""
    return [sorted({i - step for step in pair if 0 < step <= i}) for i, pair in enumerate(steps)]


def _subset(draw: st.DrawFn, count: int, most: int) -> frozenset[int]:
    return frozenset(draw(st.sets(st.integers(0, count - 1), max_size=most)))


@_UNHURRIED
@given(_STEPS.map(_reads), st.data())
def test_every_wrong_operator_is_named_in_few_probes(
    reads: list[list[int]], data: st.DataObject
) -> None:
    wrong = data.draw(st.sets(st.integers(0, len(reads) - 1), max_size=5))
    found = Graph(reads, frozenset(wrong)).search()
    assert [(one.start, one.end, one.together) for one, _ in found] == [
        (index, index + 1, False) for index in sorted(wrong, reverse=True)
    ]
    before = 0
    for _, probes in found:
        assert probes - before <= math.log2(len(reads)) + 3
        before = probes


@_UNHURRIED
@given(_STEPS.map(_reads))
def test_a_clean_graph_takes_one_probe(reads: list[list[int]]) -> None:
    graph = Graph(reads)
    assert graph.search() == []
    assert len(graph.asked) == 1


@st.composite
def _with_hidden_errors(draw: st.DrawFn) -> Graph:
    reads = draw(_STEPS.map(_reads))
    wrong, hides, uncut = (_subset(draw, len(reads), most) for most in (6, 10, 10))
    return Graph(reads, wrong, hides=hides, uncut=uncut - {0})


@_UNHURRIED
@given(_with_hidden_errors())
def test_what_is_named_is_wrong_whatever_vanishes_and_cannot_be_cut(graph: Graph) -> None:
    for one, _ in graph.search():
        assert graph.wrong & {*range(one.start, one.end)}
        assert not one.together
        inner = {*range(one.start + 1, one.end)}
        assert inner <= graph.uncut  # only what cannot be cut is named in one


@_UNHURRIED
@given(st.integers(2, 60), st.data())
def test_operators_that_are_wrong_only_together_are_named_together(
    count: int, data: st.DataObject
) -> None:
    second = data.draw(st.integers(1, count - 1))
    chain = [[index - 1] if index else [] for index in range(count)]
    found = Graph(chain, fused=frozenset({second})).search()
    assert [one for one, _ in found][:1] == [WrongOperators(second - 1, second + 1, together=True)]
    assert len(found) == 1


def test_a_cut_that_cannot_be_fed_is_gone_past() -> None:
    graph = Graph([[], [0], [1], [2], [3]], frozenset({1, 4}), uncut=frozenset({3}))
    found = [one for one, _ in graph.search()]
    assert found == [WrongOperators(4, 5), WrongOperators(1, 2)]
    stuck = Graph([[], [0], [1], [2]], frozenset({1, 2}), uncut=frozenset({2}))
    assert [one for one, _ in stuck.search()] == [WrongOperators(1, 3)]


@_UNHURRIED
@given(st.integers(1, 200), st.data())
def test_a_wrong_operator_is_named_in_few_probes_wherever_its_error_hides(
    count: int, data: st.DataObject
) -> None:
    wrong = data.draw(st.integers(0, count - 1))
    # behind these its error is small beside what it was added to, and that is taken off again
    hiding = (
        data.draw(st.sets(st.integers(wrong + 2, count))) - {count} if wrong + 2 < count else set()
    )
    probes = []

    def probe(start: int, end: int) -> bool:
        probes.append((start, end))
        return start <= wrong < end and end not in hiding

    first = next(find_wrong(count, probe))
    assert first == WrongOperators(wrong, wrong + 1)
    assert len(probes) <= math.log2(count) + 3
    assert len({*probes}) == len(probes)


def test_errors_that_add_up_at_a_cut_in_the_middle_are_not_named() -> None:
    """What the third to the sixth give in float16 is a clamp's, small beside what it reads."""

    def probe(start: int, end: int) -> bool:
        return start <= 6 < end or (start <= 2 and end == 6)

    assert list(find_wrong(10, probe)) == [WrongOperators(6, 7)]
