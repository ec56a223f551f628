"""Confidence intervals, against noise whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from affnet.bench.statistics.intervals import percentile_interval, ratio_interval

Blocks = list[list[int]]
Noise = Callable[[np.random.Generator], NDArray[np.float64]]


def skewed(generator: np.random.Generator) -> NDArray[np.float64]:
    return generator.lognormal(0, 0.3, 400)


def bimodal(generator: np.random.Generator) -> NDArray[np.float64]:
    return generator.normal(1, 0.02, 400) * np.where(generator.random(400) < 0.3, 1.3, 1)


def remembering(generator: np.random.Generator) -> NDArray[np.float64]:
    """Each value is half the one before and half news: a correlation of 0.5, 0.25, .."""
    shocks = generator.standard_normal(440)
    kernel = math.sqrt(0.75) * 0.5 ** np.arange(41)
    return np.exp(0.1 * np.convolve(shocks, kernel, "valid"))


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("noise", [skewed, bimodal, remembering])
def test_95_of_100_intervals_hold_the_true_percentile(noise: Noise, share: float) -> None:
    generator = np.random.default_rng(1)
    truth = np.quantile([noise(generator) for _ in range(2000)], share)
    found = [percentile_interval(noise(generator), share) for _ in range(600)]
    held = np.mean([interval.low <= truth <= interval.high for interval in found])
    assert 0.93 <= held <= 0.975  # a share of 600 is known to 0.9 points


def test_one_sample_says_nothing_of_its_interval_and_constant_ones_all() -> None:
    assert percentile_interval([5], 0.5).low == -math.inf
    assert percentile_interval([5], 0.5).high == math.inf
    assert percentile_interval([5, 5, 5], 0.9).high == 5


def test_an_end_beyond_all_samples_is_not_known() -> None:
    found = percentile_interval(list(range(1, 101)), 0.99)
    assert found.low < found.value < found.high == math.inf
    assert percentile_interval(list(range(1, 501)), 0.99).high <= 500


def test_zero_is_a_constant_like_any_other() -> None:
    assert percentile_interval([0, 0], 0.5).high == 0


def test_an_interval_of_samples_with_few_values_holds_them() -> None:
    found = percentile_interval([1, 2] * 50, 0.5)
    assert (found.low, found.value, found.high) == (1, 1.5, 2)


def test_one_turn_gives_no_interval_of_a_ratio() -> None:
    found = ratio_interval([[4, 4]], [[2, 2]])
    assert (found.low, found.value, found.high) == (0, 2, math.inf)


def noisy_blocks(seed: int, latency_ms: float, *, drift: bool = False, turns: int = 20) -> Blocks:
    """Log-normal latencies with a long tail; with drift they double from the first turn on."""
    generator = np.random.default_rng(seed)
    samples = latency_ms * 1e6 * generator.lognormal(0, 0.05, (turns, 10))
    if drift:
        samples *= np.linspace(1, 2, turns)[:, None]
    return [list(map(int, block)) for block in samples]


def test_the_ratio_is_that_of_the_medians_of_all_samples() -> None:
    ratio = ratio_interval([[2, 2], [4, 4], [9]], [[1, 1], [2, 2], [5]])
    assert ratio.value == 4 / 2
    assert ratio.low <= ratio.value <= ratio.high


def test_two_identical_distributions_give_an_interval_that_holds_one() -> None:
    held = 0
    for seed in range(40):
        ratio = ratio_interval(noisy_blocks(seed, 5), noisy_blocks(seed + 1000, 5))
        assert 0.95 < ratio.value < 1.05
        held += ratio.low <= 1 <= ratio.high
    assert held >= 36  # 38 are expected of a 95 % interval


def test_an_interval_of_three_turns_is_wide_enough() -> None:
    def turns(seed: int) -> Blocks:
        generator = np.random.default_rng(seed)
        levels = 5e6 * generator.lognormal(0, 0.05, (3, 1))  # a turn's samples have it in common
        return [list(map(int, turn)) for turn in levels * generator.lognormal(0, 0.01, (3, 10))]

    ratios = [ratio_interval(turns(seed), turns(seed + 1000)) for seed in range(60)]
    # 57 are expected of a 95 % interval; one that takes three turns for many holds 45
    assert sum(ratio.low <= 1 <= ratio.high for ratio in ratios) >= 53


def test_a_slow_down_by_a_tenth_is_found() -> None:
    for seed in range(20):
        ratio = ratio_interval(noisy_blocks(seed, 5.5), noisy_blocks(seed + 1000, 5))
        assert 1.05 < ratio.low < ratio.value < ratio.high < 1.15


def test_drift_that_hits_both_leaves_the_ratio_and_its_interval_narrow() -> None:
    slower, faster = noisy_blocks(1, 5.5, drift=True), noisy_blocks(2, 5, drift=True)
    paired = ratio_interval(slower, faster)
    assert 1.03 < paired.low < 1.10 < paired.high < 1.15
    shuffled = [faster[turn] for turn in np.random.default_rng(3).permutation(len(faster))]
    unpaired = ratio_interval(slower, shuffled)
    assert paired.high - paired.low < 0.5 * (unpaired.high - unpaired.low)


def test_the_interval_is_the_same_every_time() -> None:
    assert ratio_interval(noisy_blocks(1, 5), noisy_blocks(2, 5)) == ratio_interval(
        noisy_blocks(1, 5), noisy_blocks(2, 5)
    )


def test_turns_that_one_side_lacks_are_left_out() -> None:
    assert ratio_interval([[2], [2], [100]], [[1], [1]]).value == 2


def test_a_ratio_of_tails_is_found_where_medians_agree() -> None:
    long = [[100] * 8 + [300] * 2] * 20
    short = [[100] * 8 + [200] * 2] * 20
    assert ratio_interval(long, short).value == 1
    assert ratio_interval(long, short, q=0.9).value == 1.5
