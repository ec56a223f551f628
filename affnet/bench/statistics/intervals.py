"""Confidence intervals of latencies, which are skewed, multimodal and autocorrelated.

No distribution is assumed anywhere: percentiles get intervals of order statistics, ratios of models
measured in turns are bootstrapped over turns; both are widened for the autocorrelation of
samples (`affnet.bench.statistics.autocorrelation`).  `benchmarks/coverage.py` counts how often
they cover the truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affnet.bench.statistics.autocorrelation import (
    effective_sample_size_below,
    variance_inflation_between_turns,
)

LEVEL = 0.95
_RESAMPLES = 1000
_SEED = 0


@dataclass(frozen=True)
class Interval:
    """An estimate, and what it lies between with some confidence."""

    value: float
    low: float
    high: float


def percentile_interval(samples: Sequence[float], q: float, level: float = LEVEL) -> Interval:
    """Return the quantile ``q`` (0..1) of the samples.

    Its ends are order statistics: those at ``q`` plus and minus the margin of error of the fraction
    of samples below the quantile (Woodruff, JASA 47, 1952).  That error counts independent samples
    only, see `effective_sample_size_below`.  One sample has no interval: its ends are infinite.  So
    is an end beyond all samples: that of a p99 of 100 samples, which are all below it as likely as
    not.
    """
    values = np.asarray(samples, np.float64)
    value = float(np.quantile(values, q))
    if len(values) < 2:
        return Interval(value, -math.inf, math.inf)
    if np.ptp(values) == 0:
        return Interval(value, value, value)
    count = effective_sample_size_below(values, q)
    error = math.sqrt(q * (1 - q) / count)
    # half the degrees of freedom: the count is an estimate too
    margin = student(level, count / 2) * error
    low, high = np.quantile(values, np.clip((q - margin, q + margin), 0, 1), method="weibull")
    tail = (1 - level) / 2
    return Interval(
        value,
        float(low) if (1 - q) ** len(values) <= tail else -math.inf,
        float(high) if q ** len(values) <= tail else math.inf,
    )


def ratio_interval(
    numerator: Sequence[Sequence[int]],
    denominator: Sequence[Sequence[int]],
    q: float = 0.5,
    level: float = LEVEL,
) -> Interval:
    """Compare a percentile of two models that were measured in turns, a block of samples per turn.

    A bootstrap over whole turns, because neighboring samples share the machine's state, in which
    turns get weights instead of being drawn (Rubin, Annals of Statistics 9, 1981): the percentiles
    of few turns are less rough then.  Both models' blocks of a turn get the same weight, which
    cancels what slowed both.  Its ends are moved outwards for few turns (Hesterberg, The American
    Statistician 69, 2015) and for the correlation between turns.
    """
    turns = min(len(numerator), len(denominator))
    above, below = numerator[:turns], denominator[:turns]
    value = _quantile(above, q) / _quantile(below, q)
    if turns < 2:
        return Interval(value, 0.0, math.inf)
    weights = np.random.default_rng(_SEED).standard_exponential((_RESAMPLES, turns))
    ratios = _weighted_quantiles(above, weights, q) / _weighted_quantiles(below, weights, q)
    low, high = np.quantile(ratios, (0.5 - level / 2, 0.5 + level / 2))
    inflation = (
        variance_inflation_between_turns(above, q) + variance_inflation_between_turns(below, q)
    ) / 2
    few = math.sqrt(turns / (turns - 1)) * student(level, max(1.0, (turns - 1) / inflation))
    wider = few * math.sqrt(inflation) / student(level, math.inf)
    return Interval(
        value,
        float(value * min(1.0, low / value) ** wider),
        float(value * max(1.0, high / value) ** wider),
    )


def _quantile(blocks: Sequence[Sequence[int]], q: float) -> float:
    return float(np.quantile(np.concatenate(blocks), q))


def _weighted_quantiles(
    blocks: Sequence[Sequence[int]], weights: NDArray[np.float64], q: float
) -> NDArray[np.float64]:
    """Return a quantile for each row of ``weights``, those of the blocks.

    A sample stands at the middle of its weight; between two, values are interpolated.
    """
    values = np.concatenate(blocks).astype(np.float64)
    block = np.repeat(np.arange(len(blocks)), [len(samples) for samples in blocks])
    order = np.argsort(values)
    values = values[order]
    found = np.empty(len(weights))
    for row, weight in enumerate(weights):
        each = weight[block[order]]
        reached = np.cumsum(each)
        found[row] = np.interp(q * reached[-1], reached - each / 2, values)
    return found


def mean_interval(samples: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the mean of independent samples; of one the ends are infinite."""
    values = np.asarray(samples, np.float64)
    value = float(values.mean())
    if len(values) < 2:
        return Interval(value, -math.inf, math.inf)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    reach = student(level, len(values) - 1) * error
    return Interval(value, value - reach, value + reach)


def student(level: float, freedom: float) -> float:
    """Return how many standard errors a two-sided interval reaches."""
    from scipy.special import ndtri, stdtrit

    if math.isinf(freedom):
        return float(ndtri(0.5 + level / 2))
    return float(stdtrit(freedom, 0.5 + level / 2))
