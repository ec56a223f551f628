"""Estimates of a quantity from rounds of measurements, with their standard errors.

A round measures all models in turns, each in a fresh process.  What differs from process to
process (where memory lies, how the system places it) is no noise that more samples of one process
would average out, so that the rounds are what is counted where there are several.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from affnet.bench.budgets.metrics import Metric
from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import (
    LEVEL,
    Interval,
    percentile_interval,
    ratio_interval,
    student,
)

#: A round's results by the names of their models.
Round = Mapping[str, Result]

_KNOWN_WELL = 1e6  # degrees of freedom of an error that is no estimate


@dataclass(frozen=True)
class Estimate:
    """The logarithm of a quantity or ratio, its standard error, and how well that is known."""

    log: float
    error: float
    freedom: float
    #: The standard deviation from process to process, None where there is none or it is unknown.
    spread: float | None = None
    #: Whether one process is all that was seen of what differs from process to process.
    single_process: bool = False

    def interval(self, level: float = LEVEL) -> Interval:
        """Return the quantity with its interval."""
        value = _exp(self.log)
        if math.isinf(self.error):
            return Interval(value, 0.0, math.inf)
        margin = student(level, self.freedom) * self.error if self.error else 0.0
        return Interval(value, _exp(self.log - margin), _exp(self.log + margin))

    def over(self, other: Estimate) -> Estimate:
        """Return the ratio to a quantity that was estimated independently (Welch's test).

        A single process shows nothing of how processes differ; they are then taken to differ as
        those of the other quantity do.
        """
        for one, known in ((self, other), (other, self)):
            if one.single_process and known.spread is not None:
                within = 0.0 if math.isinf(one.error) else one.error
                error = math.hypot(within, known.spread, known.error)
                return Estimate(self.log - other.log, error, known.freedom)
        variances = (self.error**2, other.error**2)
        total = sum(variances)
        freedom = _KNOWN_WELL
        if math.isinf(total):
            freedom = 1.0
        elif total > 0:
            parts = zip(variances, (self.freedom, other.freedom), strict=True)
            freedom = total**2 / sum(v**2 / f for v, f in parts)
        both = self.single_process and other.single_process
        return Estimate(self.log - other.log, math.sqrt(total), freedom, single_process=both)


def estimate(rounds: Sequence[Round], model: str, metric: Metric) -> Estimate | None:
    """Estimate a model's metric; None where the results do not include it."""
    results = [found[model] for found in rounds if model in found]
    values = [metric.value(result) for result in results]
    if not values or None in values:
        return None
    if len(values) == 1 and metric.quantile is not None:
        interval = percentile_interval(results[0].samples_ns, metric.quantile)
        return _of_interval(interval, float(values[0] or 0.0))
    return _of_values([float(value or 0.0) for value in values], metric)


def estimate_ratio(
    rounds: Sequence[Round], model: str, peer: str, metric: Metric
) -> Estimate | None:
    """Estimate the ratio to a peer, of rounds that hold both."""
    both = [(found[model], found[peer]) for found in rounds if model in found and peer in found]
    pairs = [(metric.value(one), metric.value(other)) for one, other in both]
    if not pairs or any(one is None or not other for one, other in pairs):
        return None
    ratios = [(one or 0.0) / (other or 1.0) for one, other in pairs]
    if len(ratios) == 1 and metric.quantile is not None:
        (one, other) = both[0]
        interval = ratio_interval(one.blocks_ns, other.blocks_ns, metric.quantile)
        return _of_interval(interval, ratios[0])
    return _of_values(ratios, metric)


def _of_values(values: Sequence[float], metric: Metric) -> Estimate:
    """Estimate from one value a round."""
    worst = min(values) if metric.at_least else max(values)
    if metric.exact or worst == 0:
        return Estimate(_log(worst), 0.0, _KNOWN_WELL)
    logs = [_log(value) for value in values]
    if len(logs) == 1:
        return Estimate(logs[0], math.inf, 1.0, single_process=True)
    spread = statistics.stdev(logs)
    error = spread / math.sqrt(len(logs))
    return Estimate(statistics.fmean(logs), error, len(logs) - 1.0, spread)


def _of_interval(interval: Interval, value: float) -> Estimate:
    """Turn one round's own interval into an estimate; it cannot show how processes differ."""
    if not 0 < interval.low <= interval.high < math.inf:
        return Estimate(_log(value), math.inf, 1.0, single_process=True)
    # of a skewed quantity the longer side, so that neither is too short
    margin = math.log(max(interval.high / value, value / interval.low))
    error = margin / student(LEVEL, _KNOWN_WELL)
    return Estimate(_log(value), error, _KNOWN_WELL, single_process=True)


_SMALLEST = -700.0  # the logarithm that stands for 0


def _log(value: float) -> float:
    return math.log(value) if value > 0 else _SMALLEST


def _exp(log: float) -> float:
    """Return the quantity of a logarithm, without what rounding added to it on the way."""
    if log <= _SMALLEST:
        return 0.0
    return float(f"{math.exp(min(log, -_SMALLEST)):.12g}")
