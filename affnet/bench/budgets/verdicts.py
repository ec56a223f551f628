"""Verdicts: PASS where the whole interval keeps the budget, FAIL where it breaks it, else neither.

A verdict of several interim analyses is wrong more often than the confidence of one says; the error
is divided among the analyses (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from affnet.bench.budgets.budget_file import Budget
from affnet.bench.budgets.estimates import Estimate, Round, estimate, estimate_ratio
from affnet.bench.budgets.metrics import METRICS
from affnet.bench.measurement.validity import disturbances
from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import LEVEL, Interval
from affnet.errors import BudgetError

PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"

#: The rounds after which budgets are evaluated, and the error of all these analyses together.
ANALYSES = (4, 6, 9, 12)
ERROR = 0.01


@dataclass(frozen=True)
class ModuleRegression:
    """A module of a network, and how long its operators took before and take now."""

    module: str
    before_ns: int
    after_ns: int


@dataclass(frozen=True)
class Verdict:
    """What is known of one budget."""

    budget: Budget
    verdict: str
    interval: Interval | None  # None where it was not measured
    rounds: int
    reason: str  # a sentence for a person, without its full stop
    slower_modules: tuple[ModuleRegression, ...] = ()  # of a broken budget, where known
    warnings: tuple[str, ...] = ()  # why the results that it is made of may be invalid
    level: float = LEVEL  # of the interval: that of one of several interim analyses is higher

    def to_json(self) -> dict[str, Any]:
        """Return the machine-readable form; limit and value are in ns, bytes or factors."""
        finite = self.interval is not None and self.interval.high < float("inf")
        bounds = [self.interval.low, self.interval.high] if self.interval and finite else None
        return {
            "name": self.budget.name,
            "verdict": self.verdict,
            "metric": self.budget.metric,
            "model": self.budget.model,
            "peer": self.budget.peer,
            "device": self.budget.place.device,
            "runtime": self.budget.place.runtime,
            "threads": self.budget.place.threads,
            "value": self.interval.value if self.interval else None,
            "interval": bounds,
            "confidence": self.level,
            "limit": self.budget.limit,
            "rounds": self.rounds,
            "reason": self.reason,
            "doubts": list(self.warnings),
            "slower_modules": [asdict(regression) for regression in self.slower_modules],
        }


def overall(verdicts: Sequence[Verdict]) -> str:
    """Return the one verdict of all: FAIL if any, else INCONCLUSIVE if any, else PASS."""
    found = {verdict.verdict for verdict in verdicts}
    return next((worst for worst in (FAIL, INCONCLUSIVE) if worst in found), PASS)


def confidence_per_analysis(analyses: int) -> float:
    """Return the confidence level of each interval for so many interim analyses."""
    return 1 - ERROR / analyses


def evaluate(
    budget: Budget,
    rounds: Sequence[Round],
    baseline: Sequence[Round] | None = None,
    *,
    paired: bool = False,
    level: float = LEVEL,
) -> Verdict:
    """Evaluate one budget; a ``paired`` baseline was measured in the same rounds.

    A time above its limit is no FAIL where something slowed the run that a peer in the same turns
    would have shown: a disturbance can make a model seem slower, hardly faster.

    Raises:
        BudgetError: the model, its peer or the baseline is not among the results.
    """
    for name in filter(None, (budget.model, budget.peer)):
        _check_measured(budget, name, rounds, "among the results")
    found = _estimate(budget, rounds, baseline, paired)
    names = {budget.model, budget.peer or budget.model}
    count = sum(names <= set(found) for found in rounds)
    if found is None:
        said = f"the results do not include {budget.metric}"
        if not count:
            said = f"{budget.model} and {budget.peer} were never measured in the same turns"
        return Verdict(budget, INCONCLUSIVE, None, count, said)
    interval = found.interval(level)
    results = [one[name] for one in rounds for name in sorted(names) if name in one]
    if METRICS[budget.metric].at_least:
        verdict, said = _reach(interval, budget.limit, results)
    else:
        verdict, said = _compare(interval, budget.limit)
    disturbed = _distinct(disturbances(r.blocks_ns, r.environment) for r in results)
    in_turns = paired or budget.peer is not None
    if (
        verdict == FAIL
        and disturbed
        and not in_turns
        and METRICS[budget.metric].dimension in ("time", "energy")
    ):
        verdict = INCONCLUSIVE
        said = f"{said}, but {disturbed[0]}; measure on a quiet machine, or beside a peer"
    if found.single_process and math.isfinite(interval.high):
        said = f"{said}; from a single process, though processes differ by more than its samples"
    warnings = _distinct(
        [f"{why} ({result.model})" for why in result.validity_reasons] for result in results
    )
    return Verdict(budget, verdict, interval, count, said, warnings=warnings, level=level)


def _distinct(groups: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for group in groups for text in group))


def _estimate(
    budget: Budget, rounds: Sequence[Round], baseline: Sequence[Round] | None, paired: bool
) -> Estimate | None:
    metric = METRICS[budget.metric]
    if budget.peer:
        return estimate_ratio(rounds, budget.model, budget.peer, metric)
    if not budget.relative_to_baseline:
        return estimate(rounds, budget.model, metric)
    old = estimate_of_baseline(budget, baseline)
    if paired and baseline:
        merged = [
            {"new": new[budget.model], "old": before[budget.model]}
            for new, before in zip(rounds, baseline, strict=True)
        ]
        return estimate_ratio(merged, "new", "old", metric)
    new = estimate(rounds, budget.model, metric)
    return new.over(old) if new and old else None


def estimate_of_baseline(budget: Budget, baseline: Sequence[Round] | None) -> Estimate | None:
    """Estimate the baseline of a budget's metric; None where it was not measured.

    Raises:
        BudgetError: there is no baseline, or not of this model.
    """
    if baseline is None:
        raise BudgetError(
            f"{budget.name}: its limit is relative to a baseline", "name one with --baseline."
        )
    _check_measured(budget, budget.model, baseline, "in the baseline")
    return estimate(baseline, budget.model, METRICS[budget.metric])


def _check_measured(budget: Budget, name: str, rounds: Sequence[Round], where: str) -> None:
    if not any(name in found for found in rounds):
        have = sorted({model for found in rounds for model in found}) or ["none"]
        place = budget.place
        begun = ", from a picture on" if place.pipeline else ""
        raise BudgetError(
            f"{budget.name}: {name} is not {where} for {place.runtime} on {place.device} with "
            f"{place.threads} thread(s){begun}; there are: {', '.join(have)}."
        )


def _reach(interval: Interval, limit: float, results: Sequence[Result]) -> tuple[str, str]:
    """Compare a share, which is exact, with the least that it may be."""
    if interval.value >= limit:
        return PASS, "the limit is reached"
    fell = _distinct([r.placement.fallen_text()] for r in results if r.placement)
    return FAIL, f"the limit is missed: {'; '.join(fell)}"


def _compare(interval: Interval, limit: float) -> tuple[str, str]:
    if interval.high <= limit:
        return PASS, "the whole interval keeps the limit"
    if interval.low > limit:
        return FAIL, "the whole interval is above the limit"
    if interval.high == float("inf"):
        return INCONCLUSIVE, "one value has no interval; measure in several rounds"
    return INCONCLUSIVE, "the limit is within the interval"
