"""Comparing stored results: groups, and which ratios are told, which refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from affnet.bench.results.comparability import COMPUTED, MEASURED, MeasurementConditions
from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import Interval, ratio_interval
from affnet.bench.store.comparison import Comparison, compare
from affnet.bench.store.database import Query, Store
from affnet.errors import ResultsError
from tests.bench.fakes import MS, a_result
from tests.bench.store.test_database import run_of

SLOW = tuple((4 * MS + turn, 4 * MS) for turn in range(8))
FAST = tuple((2 * MS, 2 * MS + turn) for turn in range(8))


def of(results: list[Result], against: str | None = None, **query: Any) -> Comparison:
    with Store() as store:
        store.add(results)
        return compare(store, Query(**query), against, "r.json")


def test_the_ratio_to_a_peer_of_the_same_session_is_that_of_bench() -> None:
    mine, peer = run_of(1, blocks_ns=SLOW), run_of(1, model="peer", blocks_ns=FAST)
    found = of([mine, peer, run_of(2, model="other")], "peer")
    ratios = {result.model: result.ratio_to_peer for result in found.results}
    assert ratios["one"] == ratio_interval(SLOW, FAST)
    assert ratios["one"] is not None and ratios["one"].value == pytest.approx(2, rel=1e-3)
    assert ratios["peer"] is not None and ratios["peer"].value == 1
    assert ratios["other"] is None
    assert found.notes == (
        "There is no ratio of other to peer: they were measured in different sessions, and "
        "machines drift; measure both in one run, with --against.",
    )


def test_the_peer_need_not_be_shown() -> None:
    results = [run_of(1, blocks_ns=SLOW), run_of(1, model="peer", blocks_ns=FAST)]
    (result,) = of(results, "peer", models=("one",)).results
    assert result.ratio_to_peer == ratio_interval(SLOW, FAST)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"threads": 4}, "the threads are 1 and 4"),
        ({"protocol": "mlperf"}, "the protocols are 'quick' and 'mlperf'"),
        ({"device": "pi"}, "the devices are 'fake' and 'pi'"),
        ({"environment": {"cpu": "M1"}}, "the processors are 'Imagined 9000' and 'M1'"),
        ({}, "they were measured in different sessions"),
    ],
)
def test_a_ratio_across_groups_is_refused_with_the_difference(
    changes: dict[str, Any], difference: str
) -> None:
    far = run_of(2, model="peer", device="pi", threads=8, protocol="mlperf")
    near = run_of(3, model="peer", **changes)
    with pytest.raises(ResultsError, match=f"no ratio of one to peer: {difference}"):
        of([run_of(1), far, near], "peer")


def test_a_peer_of_the_same_session_by_another_protocol_is_refused_too() -> None:
    with pytest.raises(ResultsError, match="the protocols are 'quick' and 'mlperf'"):
        of([run_of(1), run_of(1, model="peer", protocol="mlperf")], "peer")


def test_a_ratio_that_bench_stored_is_kept_without_its_session() -> None:
    stored = a_result(peer="peer", ratio_to_peer=Interval(0.5, 0.4, 0.6))
    found = of([stored, a_result(model="peer", blocks_ns=FAST)], "peer", models=("one",))
    assert found.results == [stored]


def test_ratios_to_several_peers_do_not_share_a_column() -> None:
    ratio = Interval(0.5, 0.4, 0.6)
    results = [run_of(n, peer=peer, ratio_to_peer=ratio) for n, peer in ((1, "a"), (2, "b"))]
    found = of(results)
    assert found.notes == ("There are ratios to a, b; choose one with --against.",)
    assert [result.ratio_to_peer for result in found.results] == [None, None]
    assert of(results[:1]).peer == "a"


def test_what_may_not_be_mixed_stands_in_groups() -> None:
    computed = {"cpu": "Imagined 9000", "not_measured": "computed"}
    results = [
        run_of(1),
        run_of(2, model="two"),
        run_of(3, threads=4),
        run_of(4, environment=computed),
    ]
    groups = of(results).groups
    assert [len(group.results) for group in groups] == [1, 2, 1]
    assert [group.conditions.values for group in groups] == [COMPUTED, MEASURED, MEASURED]
    assert [group.conditions.title() for group in groups[1:]] == [
        "fake (Imagined 9000), 1 thread, protocol quick, each sample a run: measured",
        "fake (Imagined 9000), 4 threads, protocol quick, each sample a run: measured",
    ]


def test_traits_tell_their_difference_and_distance() -> None:
    one = MeasurementConditions.of(a_result())
    two = dataclasses.replace(one, threads=2, protocol="mlperf")
    assert (one.difference(one), one.distance(one), one.distance(two)) == ("", 0, 2)
    assert one.difference(two) == "the threads are 1 and 2"
    assert one.key() == MeasurementConditions.of(a_result(model="x")).key() != two.key()


@pytest.mark.parametrize("accelerator", ["gpu", "npu", "webgpu"])
def test_an_accelerator_is_another_processor(accelerator: str) -> None:
    result = a_result()
    chosen, usual = (
        dataclasses.replace(result, environment={**result.environment, "accelerator": name})
        for name in (accelerator, "cpu")
    )
    one, two = MeasurementConditions.of(chosen), MeasurementConditions.of(usual)
    assert two == MeasurementConditions.of(result)
    assert one.difference(two).endswith(f"with {accelerator}' and {two.processor!r}")


@pytest.mark.parametrize(
    ("query", "against", "why"),
    [
        ({"models": ("x",)}, None, "r.json holds no result of 'x'; it has: one, two."),
        ({}, "x", "r.json holds no result of 'x'; it has: one, two."),
        ({"devices": ("x",)}, None, "r.json holds no result of the device 'x'; it has: fake, pi."),
        ({"models": ("one",), "devices": ("pi",)}, None, "r.json: no result of one is of pi."),
    ],
)
def test_names_that_are_not_there(query: dict[str, Any], against: str | None, why: str) -> None:
    with pytest.raises(ResultsError) as refused:
        of([run_of(1), run_of(2, model="two", device="pi")], against, **query)
    assert str(refused.value) == why


def test_an_empty_store_is_told() -> None:
    with pytest.raises(ResultsError, match=r"^r\.json holds no results; measure some with"):
        of([])
