"""Statistics of samples, against numpy and against distributions whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from affnet.bench.statistics import median_ratio, summarise, summarise_blocks
from affnet.devices import BlockStatistics

Blocks = list[list[int]]


def noisy_blocks(seed: int, latency_ms: float, *, drift: bool = False, turns: int = 20) -> Blocks:
    """Log-normal latencies with a long tail; with drift they double from the first turn on."""
    generator = np.random.default_rng(seed)
    samples = latency_ms * 1e6 * generator.lognormal(0, 0.05, (turns, 10))
    if drift:
        samples *= np.linspace(1, 2, turns)[:, None]
    return [list(map(int, block)) for block in samples]


def test_a_summary_is_what_numpy_says() -> None:
    samples = [int(value) for value in np.random.default_rng(0).lognormal(15, 0.3, 997)]
    summary = summarise(samples)
    assert summary.median == np.median(samples)
    assert summary.p90 == np.percentile(samples, 90)
    assert summary.p99 == np.percentile(samples, 99)
    assert summary.minimum == min(samples)
    assert summary.mean == pytest.approx(np.mean(samples), rel=1e-12)
    assert summary.standard_deviation == pytest.approx(np.std(samples, ddof=1), rel=1e-12)


def test_known_samples_have_known_statistics() -> None:
    summary = summarise([4, 1, 3, 2])
    assert (summary.median, summary.minimum, summary.mean) == (2.5, 1, 2.5)
    assert summary.p90 == pytest.approx(3.7)
    assert summary.standard_deviation == pytest.approx(1.2909944)


def test_one_sample_has_no_spread() -> None:
    summary = summarise([5])
    assert (summary.median, summary.p99, summary.standard_deviation) == (5, 5, 0)


def test_the_ratio_is_that_of_the_medians_of_all_samples() -> None:
    ratio = median_ratio([[2, 2], [4, 4], [9]], [[1, 1], [2, 2], [5]])
    assert ratio.value == 4 / 2
    assert ratio.low <= ratio.value <= ratio.high


def test_two_identical_distributions_give_an_interval_that_holds_one() -> None:
    held = 0
    for seed in range(40):
        ratio = median_ratio(noisy_blocks(seed, 5), noisy_blocks(seed + 1000, 5))
        assert 0.95 < ratio.value < 1.05
        held += ratio.low <= 1 <= ratio.high
    assert held >= 36  # 38 are expected of a 95 % interval


def test_a_slow_down_by_a_tenth_is_found() -> None:
    for seed in range(20):
        ratio = median_ratio(noisy_blocks(seed, 5.5), noisy_blocks(seed + 1000, 5))
        assert 1.05 < ratio.low < ratio.value < ratio.high < 1.15


def test_drift_that_hits_both_leaves_the_ratio_and_its_interval_narrow() -> None:
    slower, faster = noisy_blocks(1, 5.5, drift=True), noisy_blocks(2, 5, drift=True)
    paired = median_ratio(slower, faster)
    assert 1.05 < paired.low < 1.10 < paired.high < 1.15
    shuffled = [faster[turn] for turn in np.random.default_rng(3).permutation(len(faster))]
    unpaired = median_ratio(slower, shuffled)
    assert paired.high - paired.low < 0.5 * (unpaired.high - unpaired.low)


def test_the_interval_is_the_same_every_time() -> None:
    assert median_ratio(noisy_blocks(1, 5), noisy_blocks(2, 5)) == median_ratio(
        noisy_blocks(1, 5), noisy_blocks(2, 5)
    )


def test_turns_that_one_side_lacks_are_left_out() -> None:
    assert median_ratio([[2], [2], [100]], [[1], [1]]).value == 2


def block(samples: list[int], median_ns: int | None) -> BlockStatistics:
    """What a tool tells of these samples."""
    return BlockStatistics(
        runs=len(samples),
        first_ns=samples[0],
        last_ns=samples[-1],
        minimum_ns=min(samples),
        maximum_ns=max(samples),
        mean_ns=round(np.mean(samples)),
        standard_deviation_ns=round(np.std(samples)),
        p5_ns=None,
        median_ns=median_ns,
        p95_ns=None,
    )


def test_blocks_give_the_mean_and_spread_of_all_runs_and_no_tail() -> None:
    one, two = [1000, 2000, 6000], [3000, 4000, 8000, 9000, 1500]
    summary = summarise_blocks([block(one, 2000), block(two, 4000)])
    assert summary.mean == pytest.approx(np.mean(one + two), abs=1)
    assert summary.standard_deviation == pytest.approx(np.std(one + two), abs=1)
    assert summary.minimum == 1000
    assert summary.median == 3000  # of the blocks' medians
    assert (summary.p90, summary.p99) == (None, None)
    assert summarise_blocks([block(one, None)]).median == 3000  # their mean
