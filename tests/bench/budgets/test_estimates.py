"""Estimates from rounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from affnet.bench.budgets.estimates import Estimate, estimate, estimate_ratio
from affnet.bench.budgets.metrics import METRICS
from tests.bench.checks import steady_rounds
from tests.bench.fakes import MS, a_result

MEDIAN = METRICS["median"]


def known(found: Estimate | None) -> Estimate:
    assert found is not None
    return found


def test_rounds_give_students_interval_of_their_logarithms() -> None:
    latencies = [10.0, 10.2, 9.9, 10.1]
    found = known(estimate(steady_rounds(*latencies), "one", MEDIAN)).interval(0.95)
    logs = np.log(np.array(latencies) * MS)
    low, high = stats.t.interval(0.95, 3, logs.mean(), stats.sem(logs))
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_a_ratio_to_other_rounds_is_welchs() -> None:
    one, two = [10.0, 10.2, 9.9, 10.1], [9.0, 9.5, 9.1, 9.2, 9.3]
    new, old = (known(estimate(steady_rounds(*ms), "one", MEDIAN)) for ms in (one, two))
    found = new.over(old).interval(0.95)
    test = stats.ttest_ind(np.log(one), np.log(two), equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((math.exp(test.low), math.exp(test.high)))


def test_one_process_before_is_taken_to_differ_as_those_of_now_do() -> None:
    now = known(estimate(steady_rounds(10.0, 10.3, 9.7, 10.0), "one", MEDIAN))
    before = known(estimate(steady_rounds(10.0), "one", MEDIAN))
    ratio = now.over(before)
    spread = float(np.std(np.log([10.0, 10.3, 9.7, 10.0]), ddof=1))
    assert ratio.error == pytest.approx(spread * math.sqrt(1 + 1 / 4))
    assert ratio.freedom == 3
    assert before.over(now).error == pytest.approx(ratio.error)


def test_one_value_has_no_interval_and_no_ratio_of_it_has() -> None:
    one = known(estimate(steady_rounds(10), "one", METRICS["load"]))
    for found in (one.interval(), one.over(one).interval()):
        assert (found.low, found.high) == (0.0, math.inf)


def test_an_exact_metric_is_the_value_itself() -> None:
    for size in (3_600_000, 25_000_000, 1, 7_654_321):
        rounds = steady_rounds(10, file_bytes=size)
        found = known(estimate(rounds, "one", METRICS["file_size"])).interval()
        assert (found.low, found.value, found.high) == (size, size, size)


def test_zeros_are_told_without_overflow() -> None:
    zero = known(estimate(steady_rounds(10, exported_error=0.0), "one", METRICS["parity"]))
    some = known(estimate(steady_rounds(10, exported_error=1e9), "one", METRICS["parity"]))
    assert zero.interval().high == 0.0
    assert zero.over(zero).interval().value == 1.0
    assert zero.over(some).interval().value == 0.0
    assert some.over(zero).interval().low > 1e200


def test_constant_samples_are_known_exactly() -> None:
    found = known(estimate(steady_rounds(10), "one", MEDIAN)).interval()
    assert (found.low, found.high) == (10 * MS, 10 * MS)


def test_the_longer_side_of_a_skewed_interval_counts() -> None:
    samples = tuple(round(MS * value) for value in np.random.default_rng(1).lognormal(0, 0.8, 60))
    rounds = [{"one": a_result(blocks_ns=(samples,))}]
    from affnet.bench.statistics.intervals import percentile_interval

    attributed = percentile_interval(samples, 0.9)
    found = known(estimate(rounds, "one", METRICS["p90"])).interval()
    assert found.low <= attributed.low * 1.000001
    assert found.high >= attributed.high * 0.999999


def test_what_no_result_tells_is_none() -> None:
    assert estimate(steady_rounds(10), "one", METRICS["parity"]) is None
    assert estimate([], "one", MEDIAN) is None
    apart = [*steady_rounds(10), *steady_rounds(9, model="two")]
    assert estimate_ratio(apart, "one", "two", MEDIAN) is None
