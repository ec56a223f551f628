"""How few samples are news, against processes whose memory is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from affnet.bench.statistics.autocorrelation import (
    effective_sample_size,
    effective_sample_size_below,
    normal_scores,
    variance_inflation_between_turns,
)


def remembering(seed: int, count: int, memory: float) -> NDArray[np.float64]:
    """Normal values, each as correlated with the one before as ``memory`` says."""
    shocks = np.random.default_rng(seed).standard_normal(count + 200)
    kernel = math.sqrt(1 - memory**2) * memory ** np.arange(201)
    return np.convolve(shocks, kernel, "valid")


def test_samples_that_remember_tell_less() -> None:
    news = np.random.default_rng(2).standard_normal(20_000)
    assert effective_sample_size(news) == pytest.approx(20_000, rel=0.1)
    remembered = np.convolve(news, 0.5 ** np.arange(40), "valid")
    # theory: (1 - 0.5) / (1 + 0.5) of the samples
    assert effective_sample_size(remembered) == pytest.approx(20_000 / 3, rel=0.1)


def test_what_lies_below_a_median_remembers_less_than_the_samples() -> None:
    lags = np.arange(1, 200)
    # of normal variables the arcsine law (Sheppard 1899)
    theory = 1 + 2 * float(np.sum(2 / np.pi * np.arcsin(0.8**lags)))
    assert theory == pytest.approx(6.39, abs=0.01)
    values = remembering(3, 20_000, 0.8)
    assert 20_000 / effective_sample_size_below(values, 0.5) == pytest.approx(theory, rel=0.1)
    assert 20_000 / effective_sample_size_below(np.exp(5 * values), 0.5) == pytest.approx(
        theory, rel=0.1
    )


def test_short_series_are_not_taken_for_news() -> None:
    found = [
        200 / effective_sample_size_below(remembering(seed, 200, 0.8), 0.5) for seed in range(40)
    ]
    assert 5.5 < np.median(found) < 9  # never much less than the true 6.39, of the typical series


def test_scores_keep_the_order_and_ties() -> None:
    scores = normal_scores(np.array([5.0, 1.0, 1.0, 9.0]))
    assert scores[1] == scores[2] < scores[0] < scores[3]
    assert normal_scores(np.array([3.0, 3.0, 3.0])).tolist() == pytest.approx([0, 0, 0], abs=1e-9)


def turns(values: NDArray[np.float64]) -> list[list[int]]:
    return [list(map(int, turn)) for turn in np.exp(0.1 * values).reshape(-1, 10) * 1e6]


def test_turns_of_a_process_that_remembers_remember_too() -> None:
    # theory, by the arcsine law: 6.39 of all samples over what a turn of ten shows
    found = [
        variance_inflation_between_turns(turns(remembering(s, 400, 0.8)), 0.5) for s in range(20)
    ]
    assert 1.35 < np.median(found) < 1.65
    news = [
        variance_inflation_between_turns(turns(remembering(s, 400, 0.0)), 0.5) for s in range(20)
    ]
    assert 1.0 <= np.median(news) < 1.02


def test_what_a_whole_turn_has_in_common_is_no_memory() -> None:
    generator = np.random.default_rng(5)
    values = generator.standard_normal((40, 10)) + 3 * generator.standard_normal((40, 1))
    assert variance_inflation_between_turns(turns(values.ravel()), 0.5) < 1.1


def test_turns_that_show_nothing_have_no_memory() -> None:
    assert variance_inflation_between_turns([[1, 2], [2, 1]], 0.5) == 1
    assert variance_inflation_between_turns([[7] * 5] * 4, 0.5) == 1
