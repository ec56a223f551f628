"""Statistics of latency samples.  They are always derived from samples, never stored alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affnet.devices.base import BlockStatistics


@dataclass(frozen=True)
class Summary:
    """Latency statistics in ns."""

    median: float
    p90: float | None  # None where single runs are not known
    p99: float | None
    minimum: float
    mean: float
    standard_deviation: float | None  # None where a tool reports none


def summarise(samples_ns: Sequence[int]) -> Summary:
    """Summarise at least one sample."""
    samples = np.asarray(samples_ns, np.float64)
    median, p90, p99 = np.percentile(samples, (50, 90, 99))
    return Summary(
        median=float(median),
        p90=float(p90),
        p99=float(p99),
        minimum=float(samples.min()),
        mean=float(samples.mean()),
        standard_deviation=float(samples.std(ddof=1)) if len(samples) > 1 else 0.0,
    )


def summarise_blocks(blocks: Sequence[BlockStatistics]) -> Summary:
    """Summarise blocks of which only statistics are known.

    Mean, minimum and, where tools report it, standard deviation are exact; the median is that of
    the blocks' own medians (means, where a tool reports no median); the tail is not known.
    """
    runs = np.array([block.runs for block in blocks], np.float64)
    means = np.array([block.mean_ns for block in blocks], np.float64)
    mean = np.average(means, weights=runs)
    deviation = None
    deviations = [block.standard_deviation_ns for block in blocks]
    if None not in deviations:
        squares = np.array(deviations, np.float64) ** 2
        deviation = float(np.sqrt(np.average(squares + (means - mean) ** 2, weights=runs)))
    return Summary(
        median=float(np.median([block.typical_ns for block in blocks])),
        p90=None,
        p99=None,
        minimum=float(min(block.minimum_ns for block in blocks)),
        mean=float(mean),
        standard_deviation=deviation,
    )
