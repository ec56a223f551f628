"""The fit of a power law: exact curves, noisy ones, and too few points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import linregress

from affnet.bench.mixers.growth import REFERENCE_TOKENS, fit_power_law
from affnet.bench.statistics.intervals import student

TOKENS = [64, 256, 1024, 4096]


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.2, 2.0])
def test_an_exact_power_law_is_found_with_no_interval_to_speak_of(exponent: float) -> None:
    values = [3e6 * (tokens / REFERENCE_TOKENS) ** exponent for tokens in TOKENS]
    found = fit_power_law(TOKENS, values)
    assert found.exponent.value == pytest.approx(exponent, abs=1e-9)
    assert found.constant.value == pytest.approx(3e6)
    assert found.exponent.high - found.exponent.low < 1e-6


def test_exponent_and_interval_are_those_of_a_straight_line_through_the_logarithms() -> None:
    values = [1.0, 5.0, 18.0, 90.0]
    found = fit_power_law(TOKENS, values)
    line = linregress(np.log(TOKENS), np.log(values))
    reach = student(0.95, 2) * line.stderr
    assert found.exponent.value == pytest.approx(line.slope)
    assert found.exponent.low == pytest.approx(line.slope - reach)
    assert found.exponent.high == pytest.approx(line.slope + reach)
    at_reference = math.exp(line.intercept + line.slope * math.log(REFERENCE_TOKENS))
    assert found.constant.value == pytest.approx(at_reference)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        noise = generator.normal(0, 0.1, len(TOKENS))
        interval = fit_power_law(TOKENS, np.array(TOKENS) ** 1.3 * np.exp(noise)).exponent
        held += interval.low <= 1.3 <= interval.high
    assert 0.92 <= held / 400 <= 0.98


def test_two_sizes_have_an_exponent_but_no_interval() -> None:
    found = fit_power_law([64, 256], [1.0, 16.0])
    assert found.exponent.value == pytest.approx(2.0)
    assert (found.exponent.low, found.exponent.high) == (-math.inf, math.inf)
    assert (found.constant.low, found.constant.high) == (0, math.inf)


@pytest.mark.parametrize(("tokens", "values"), [([64, 64], [1, 2]), ([64, 256], [0, 1])])
def test_what_has_no_power_law_is_refused(tokens: list[int], values: list[float]) -> None:
    with pytest.raises(ValueError, match="two map sizes or more, and positive values"):
        fit_power_law(tokens, values)
