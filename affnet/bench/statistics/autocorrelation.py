"""Autocorrelation of latency samples and their effective sample size.

A latency depends on its past: frequency, caches and other processes change more slowly than runs
follow each other.  Two estimates are made, of which the more pessimistic counts.  One assumes
nothing and is noisy; the other takes the ranks for those of an autoregressive process, whatever
the latencies' own distribution is, and so needs far fewer samples.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

_MAX_ORDER = 3
_LARGEST = 0.98  # AR coefficient that is modeled
_LAGS = np.arange(1.0, 401.0)
_LARGEST_TABLE = 50  # samples of a turn; in longer ones the bias that it corrects is small


def effective_sample_size(series: Series) -> float:
    """Return the effective sample size of the mean of a series whose mean is 0.

    The correlation with the past is added up as long as it is positive and falls: the initial
    monotone sequence of Geyer, Statistical Science 7, 1992.
    """
    length = len(series)
    correlation = _covariances(series)
    pairs = (correlation / correlation[0])[: length // 2 * 2].reshape(-1, 2).sum(axis=1)
    ended = np.flatnonzero(pairs < 0)
    falling = np.minimum.accumulate(pairs[: ended[0] if len(ended) else None])
    time = max(1.0, 2 * float(falling.sum()) - 1)
    # a series that is short beside its correlation time underestimates it
    time /= max(0.5, 1 - 2 * time / length)
    return max(length / time, 2.0)


def effective_sample_size_below(values: Series, q: float) -> float:
    """Return the effective sample size of the quantile ``q``.

    What is counted for it is which samples lie below: the correlation of that is that of two
    normal variables, one of which lies below (Cramer & Leadbetter, Stationary and Related
    Stochastic Processes, 1967), where the samples' ranks are those of a normal process.
    """
    below = (values <= np.quantile(values, q)).astype(np.float64) - q
    correlation = _autoregression(normal_scores(values))
    time = 1 + 2 * float(_below_correlation(correlation, q).sum())
    return min(effective_sample_size(below), len(values) / max(1.0, time))


def variance_inflation_between_turns(blocks: Sequence[Sequence[int]], q: float) -> float:
    """Return the variance inflation of a quantile due to correlation between turns.

    Turns are too few to estimate it from; the correlation of neighboring samples within a turn is
    known far better.  What a whole turn has in common does not count, as the other model's turn
    has it, too.
    """
    lengths = [len(block) for block in blocks]
    typical = int(np.median(lengths))
    if min(lengths) < 3:
        return 1.0
    scores = normal_scores(np.concatenate(blocks).astype(np.float64))
    together = total = 0.0
    for turn in np.split(scores, np.cumsum(lengths)[:-1]):
        centered = turn - turn.mean()
        together += float(centered[1:] @ centered[:-1]) * len(turn) / (len(turn) - 1)
        total += float(centered @ centered)
    if total == 0:
        return 1.0
    ar_coefficients, seen = _estimates_in_turns(min(typical, _LARGEST_TABLE))
    ar_coefficient = np.float64(np.interp(together / total, seen, ar_coefficients))
    correlation = _below_correlation(ar_coefficient**_LAGS, q)
    within = correlation[: typical - 1]
    weights = 1 - _LAGS[: typical - 1] / typical
    return float((1 + 2 * correlation.sum()) / (1 + 2 * (weights * within).sum()))


def normal_scores(values: Series) -> Series:
    """Return normal variables of the same ranks (Blom, Statistical Estimates, 1958)."""
    from scipy.special import ndtri

    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # of values that are the same: their mean
    scores: Series = ndtri((ranks[which] - 0.375) / (len(values) + 0.25))
    return scores


def _covariances(series: Series) -> Series:
    """Return the sums of products with what was 0, 1, 2, .. samples before."""
    spectrum = np.fft.rfft(series, 2 * len(series))
    sums: Series = np.fft.irfft(np.abs(spectrum) ** 2)[: len(series)]
    return sums


def _autoregression(series: Series) -> Series:
    """Return the correlations at `_LAGS` of the process that Akaike's criterion chooses."""
    length = len(series)
    covariances = _covariances(series)
    coefficients = best = np.zeros(0)
    variance = covariances[0]
    lowest = length * math.log(variance)
    for order in range(1, min(_MAX_ORDER, length // 10) + 1):  # Levinson & Durbin
        unexplained = covariances[order] - coefficients @ covariances[order - 1 : 0 : -1]
        partial = unexplained / variance
        coefficients = np.append(coefficients - partial * coefficients[::-1], partial)
        variance *= 1 - partial**2
        criterion = length * math.log(variance) + 2 * order
        if criterion < lowest:
            lowest, best = criterion, coefficients
    if not len(best):
        return np.zeros(len(_LAGS))
    # short series underestimate the coefficient (Kendall, Biometrika 41, 1954)
    ar_coefficient = float(best.sum())
    corrected = min(_LARGEST, (length * ar_coefficient + 1) / (length - 3))
    return _correlations(best + (corrected - ar_coefficient) / len(best))


def _correlations(coefficients: Series) -> Series:
    """Return the correlations at `_LAGS` of an autoregressive process (Yule & Walker)."""
    order = len(coefficients)
    equations = np.eye(order)
    for row in range(order):
        for index, coefficient in enumerate(coefficients):
            if index != row:
                equations[row, abs(row - index) - 1] -= coefficient
    found = [1.0, *np.linalg.solve(equations, coefficients).tolist()]
    past = coefficients.tolist()
    while len(found) <= len(_LAGS):
        found.append(sum(c * f for c, f in zip(past, reversed(found), strict=False)))
    return np.array(found[1 : len(_LAGS) + 1])


def _below_correlation(correlations: Series, q: float) -> Series:
    """Return the correlations of which samples lie below a percentile, of a normal process."""
    from scipy.special import ndtri

    nodes, weights = np.polynomial.legendre.leggauss(12)
    bound = float(ndtri(q))
    half = np.clip(correlations, -0.999, 0.999)[:, None] / 2
    up_to = half * (nodes + 1)
    density = np.exp(-(bound**2) / (1 + up_to)) / (2 * np.pi * np.sqrt(1 - up_to**2))
    both: Series = (density * weights * half).sum(axis=1)
    return both / (q * (1 - q))


@functools.cache
def _estimates_in_turns(length: int) -> tuple[Series, Series]:
    """Return AR coefficients, and the expected estimate of each within turns of so many samples.

    It is less, since a turn's mean is taken off (Nickell, Econometrica 49, 1981).
    """
    ar_coefficients = np.linspace(0.0, _LARGEST, 50)
    apart = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    centering = np.eye(length) - 1 / length
    seen = []
    for ar_coefficient in ar_coefficients:
        covariance = centering @ ar_coefficient**apart @ centering
        lagged = np.diagonal(covariance, 1).sum() / (length - 1)
        seen.append(lagged / (np.trace(covariance) / length))
    return ar_coefficients, np.array(seen)
