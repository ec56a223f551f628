"""Statistics of samples, against numpy and against distributions whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from affnet.bench.statistics.summary import summarise, summarise_blocks
from affnet.devices.base import BlockStatistics


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
