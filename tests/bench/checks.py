"""Budgets and rounds of simulated processes, for the tests of verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np

from affnet.bench.budgets.budget_file import Budget, Place
from affnet.bench.budgets.estimates import Round
from tests.bench.fakes import MS, a_result

FAKE = Place("fake")


def a_budget(**changes: Any) -> Budget:
    """A median of at most 12 ms."""
    fields = {
        "name": "quick enough",
        "model": "one",
        "metric": "median",
        "place": FAKE,
        "limit": 12.0 * MS,
        "text": "12 ms",
        "peer": None,
        "relative_to_baseline": False,
        "line": 4,
    }
    return Budget(**{**fields, **changes})


NO_SLOWER = a_budget(limit=1.05, text="+5 %", relative_to_baseline=True)


def steady_rounds(*latencies_ms: float, model: str = "one", **changes: Any) -> list[Round]:
    """A round of one process for each latency, all samples alike."""
    return [
        {model: a_result(model=model, blocks_ns=((round(ms * MS),) * 5,) * 4, **changes)}
        for ms in latencies_ms
    ]


class Simulation:
    """Rounds whose processes differ by log-normal noise, with skewed noise within."""

    def __init__(self, seed: int, noise: float) -> None:
        self._generator, self._noise = np.random.default_rng(seed), noise

    def round(self, *latencies_ms: float) -> Round:
        """Return a round of models called one, two, .. with these true latencies."""
        names = ("one", "two", "three")
        found = {}
        for name, ms in zip(names, latencies_ms, strict=False):
            process = ms * MS * np.exp(self._noise * self._generator.standard_normal())
            skewed = 1 + 0.02 * self._generator.exponential(1.0, (5, 4))
            blocks = tuple(tuple(map(int, block)) for block in process * skewed)
            found[name] = a_result(model=name, blocks_ns=blocks)
        return found
