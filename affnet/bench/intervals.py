"""Confidence intervals of latencies, which are skewed, have several modes and depend on their past.

No distribution is assumed anywhere: percentiles get intervals of order statistics, widened by how
much neighbouring samples agree; ratios of models measured in turns are bootstrapped over turns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
_RESAMPLES = 1000
_SEED = 0


@dataclass(frozen=True)
class Interval:
    """An estimate, and what it lies between with some confidence."""

    value: float
    low: float
    high: float


def percentile_interval(samples: Sequence[float], share: float, level: float = LEVEL) -> Interval:
    """Return the percentile below which a ``share`` (0..1) of the samples lies.

    Its ends are order statistics: those at ``share`` plus and minus the error of the share of
    samples below the percentile (Woodruff, JASA 47, 1952).  That error counts independent samples
    only, see `independent_samples`.  One sample has no interval: its ends are infinite.
    """
    values = np.asarray(samples, np.float64)
    value = float(np.quantile(values, share))
    if len(values) < 2:
        return Interval(value, -math.inf, math.inf)
    if np.ptp(values) == 0:
        return Interval(value, value, value)
    count = independent_samples((values <= value).astype(np.float64) - share)
    error = math.sqrt(share * (1 - share) / count)
    # half the degrees of freedom: the count is an estimate too
    reach = student(level, count / 2) * error
    low, high = np.quantile(values, np.clip((share - reach, share + reach), 0, 1))
    return Interval(value, float(low), float(high))


def independent_samples(series: NDArray[np.float64]) -> float:
    """Return how many independent samples tell as much of the mean as this series of mean 0 does.

    The correlation with the past is added up as long as it is positive and falls: the initial
    monotone sequence of Geyer, Statistical Science 7, 1992.
    """
    length = len(series)
    spectrum = np.fft.rfft(series, 2 * length)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:length]
    pairs = (correlation / correlation[0])[: length // 2 * 2].reshape(-1, 2).sum(axis=1)
    ended = np.flatnonzero(pairs < 0)
    falling = np.minimum.accumulate(pairs[: ended[0] if len(ended) else None])
    time = max(1.0, 2 * float(falling.sum()) - 1)
    # a series that is short beside its memory shows too little of it
    time /= max(0.5, 1 - 2 * time / length)
    return max(length / time, 2.0)


def ratio_interval(
    numerator: Sequence[Sequence[int]],
    denominator: Sequence[Sequence[int]],
    share: float = 0.5,
    level: float = LEVEL,
) -> Interval:
    """Compare a percentile of two models that were measured in turns, a block of samples per turn.

    A circular block bootstrap over turns, because neighbouring samples share the machine's state
    (Politis & Romano 1992).  Both models' blocks of a turn are drawn together, which cancels what
    slowed both.  The level is widened for few turns (Hesterberg, The American Statistician 69,
    2015, "expanded percentile").
    """
    from scipy.special import ndtr  # 20 ms, and only measurements need it

    turns = min(len(numerator), len(denominator))
    above, below = numerator[:turns], denominator[:turns]
    value = _quantile(above, share) / _quantile(below, share)
    if turns < 2:
        return Interval(value, 0.0, math.inf)
    length = round(turns ** (1 / 3))  # the growth that lets errors of bias and variance vanish
    pieces = turns / length
    tail = ndtr(-math.sqrt(pieces / (pieces - 1)) * student(level, pieces - 1))
    starts = np.random.default_rng(_SEED).integers(0, turns, (_RESAMPLES, math.ceil(pieces)))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(_RESAMPLES, -1)[:, :turns] % turns
    times = np.stack([np.bincount(row, minlength=turns) for row in drawn])  # each turn was drawn
    ratios = _drawn_quantiles(above, times, share) / _drawn_quantiles(below, times, share)
    low, high = np.quantile(ratios, (tail, 1 - tail))
    return Interval(value, float(low), float(high))


def _quantile(blocks: Sequence[Sequence[int]], share: float) -> float:
    return float(np.quantile(np.concatenate(blocks), share))


def _drawn_quantiles(
    blocks: Sequence[Sequence[int]], times: NDArray[np.int64], share: float
) -> NDArray[np.float64]:
    """Return a quantile for each row of ``times``, how often each block was drawn."""
    values = np.concatenate(blocks).astype(np.float64)
    block = np.repeat(np.arange(len(blocks)), [len(samples) for samples in blocks])
    order = np.argsort(values)
    reached = np.cumsum(times[:, block[order]], axis=1)
    index = np.argmax(reached >= share * reached[:, -1:], axis=1)
    quantiles: NDArray[np.float64] = values[order][index]
    return quantiles


def student(level: float, freedom: float) -> float:
    """Return how many standard errors a two-sided interval reaches."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2))
