"""How often the intervals hold the truth, on noise of which the truth is known.

Usage: python benchmarks/coverage.py [--trials N]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from affnet.bench.statistics.intervals import percentile_interval, ratio_interval

Series = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int], Series]
_BLOCK = 10  # samples of a turn


def _remembering(memory: float) -> Noise:
    """Log-normal latencies, each as correlated with the one before as ``memory`` says."""

    def draw(generator: np.random.Generator, count: int) -> Series:
        from scipy.signal import lfilter

        shocks = generator.standard_normal(count)
        shocks[1:] *= np.sqrt(1 - memory**2)
        return np.exp(0.1 * lfilter([1.0], [1.0, -memory], shocks))

    return draw


def _skewed(generator: np.random.Generator, count: int) -> Series:
    return generator.lognormal(0.0, 0.3, count)


def _bimodal(generator: np.random.Generator, count: int) -> Series:
    slow = generator.random(count) < 0.3
    return np.where(slow, 1.3, 1.0) * (1 + 0.02 * generator.standard_normal(count))


NOISES: dict[str, Noise] = {
    "skewed": _skewed,
    "bimodal": _bimodal,
    "autocorrelated 0.5": _remembering(0.5),
    "autocorrelated 0.8": _remembering(0.8),
}


def truth(noise: Noise, share: float) -> float:
    """Return the percentile of the noise's distribution."""
    return float(np.quantile(noise(np.random.default_rng(12345), 4_000_000), share))


def percentile_coverage(noise: Noise, share: float, samples: int, trials: int, seed: int) -> float:
    """Return the share of trials whose 95 % interval holds the true percentile."""
    generator, true = np.random.default_rng(seed), truth(noise, share)
    hits = 0
    for _ in range(trials):
        found = percentile_interval(noise(generator, samples), share)
        hits += found.low <= true <= found.high
    return hits / trials


def ratio_coverage(noise: Noise, share: float, samples: int, trials: int, seed: int) -> float:
    """Return the same for the ratio of two models, one 1.1 times slower, slowed by turns alike."""
    generator = np.random.default_rng(seed)
    hits = 0
    for _ in range(trials):
        turns = samples // _BLOCK
        common = np.exp(0.05 * generator.standard_normal((turns, 1)))
        slow, fast = (
            noise(generator, samples).reshape(turns, _BLOCK) * common * factor
            for factor in (1.1, 1.0)
        )
        found = ratio_interval(list(slow), list(fast), share)
        hits += found.low <= 1.1 <= found.high
    return hits / trials


def _rows(trials: int) -> Iterator[str]:
    for samples in (200, 400, 1020):
        for name, noise in NOISES.items():
            shares = [
                measure(noise, share, samples, trials, 1)
                for measure in (percentile_coverage, ratio_coverage)
                for share in (0.5, 0.9)
            ]
            cells = " | ".join(f"{100 * share:.1f}" for share in shares)
            yield f"| {samples} | {name} | {cells} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    trials = parser.parse_args().trials
    print(f"Nominal 95 % intervals, {trials} trials each: % that hold the truth\n")
    print("| samples | noise | median | p90 | ratio of medians | ratio of p90 |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    for row in _rows(trials):
        print(row, flush=True)


if __name__ == "__main__":
    main()
