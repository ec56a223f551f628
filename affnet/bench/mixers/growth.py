"""How a latency grows with the number of tokens: a power law fitted on the log-log curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affnet.bench.statistics.intervals import LEVEL, Interval, student

#: The fitted value at so many tokens, a map of 32 x 32, stands for the law's constant: at one
#: token, where the law has it, it would be extrapolated far beyond what was measured.
REFERENCE_TOKENS = 1024


@dataclass(frozen=True)
class PowerLaw:
    """``value = constant (tokens / REFERENCE_TOKENS)^exponent``, with 95 % intervals."""

    exponent: Interval
    constant: Interval  # in the values' unit


def fit_power_law(tokens: Sequence[int], values: Sequence[float]) -> PowerLaw:
    """Fit the law to at least two map sizes by least squares of logarithms.

    The intervals are those of a straight line's slope and height, Student's t with two degrees of
    freedom less than points.  They hold the noise of each point and the curve's departure
    from a power law alike; of two points they are infinite.

    Raises:
        ValueError: fewer than two different numbers of tokens, or values that are not positive.
    """
    if len(set(tokens)) < 2 or min(values) <= 0:
        raise ValueError("a growth takes two map sizes or more, and positive values")
    x = np.log(np.asarray(tokens, np.float64) / REFERENCE_TOKENS)
    y = np.log(np.asarray(values, np.float64))
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread
    height = float(y.mean() - slope * x.mean())
    freedom = len(x) - 2
    if freedom < 1:
        return PowerLaw(
            Interval(slope, -math.inf, math.inf), Interval(math.exp(height), 0, math.inf)
        )
    residual = y - height - slope * x
    variance = float(residual @ residual) / freedom
    reach = student(LEVEL, freedom)
    of_slope = reach * math.sqrt(variance / spread)
    of_height = reach * math.sqrt(variance * (1 / len(x) + float(x.mean()) ** 2 / spread))
    return PowerLaw(
        Interval(slope, slope - of_slope, slope + of_slope),
        Interval(math.exp(height), math.exp(height - of_height), math.exp(height + of_height)),
    )
