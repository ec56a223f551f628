"""A verdict in words."""

from __future__ import annotations

from collections.abc import Sequence

from affnet.bench.budgets.budget_file import Budget
from affnet.bench.budgets.metrics import METRICS
from affnet.bench.budgets.verdicts import Verdict
from affnet.units import MEGABYTES, MILLIJOULES, MILLISECONDS, PERCENT, Unit

_UNITS: dict[str | None, Unit | None] = {
    "time": MILLISECONDS,
    "bytes": MEGABYTES,
    "energy": MILLIJOULES,
    "share": PERCENT,
    None: None,
}


def values(verdict: Verdict) -> tuple[str, str]:
    """Return the value and the interval in the budget's own unit."""
    found, budget = verdict.interval, verdict.budget
    if found is None:
        return "-", "-"
    relative = budget.peer is not None or budget.relative_to_baseline
    unit = None if relative else _UNITS[METRICS[budget.metric].dimension]

    def number(value: float) -> str:
        if unit:
            return unit.number(value)
        return f"{value:.3f}" if relative else f"{value:.3g}"

    suffix = f" {unit.symbol}" if unit else " x" if relative else ""
    if found.high == float("inf"):
        return number(found.value) + suffix, "-"
    return number(found.value) + suffix, f"{number(found.low)} to {number(found.high)}{suffix}"


def sentence(verdict: Verdict) -> str:
    """Return what was measured, what is allowed, and the reason, without a full stop."""
    value, interval = values(verdict)
    level = "" if interval == "-" else f", {_percent(verdict.level)}"
    return (
        f"{verdict.budget.metric} of {verdict.budget.model} is {value} [{interval}{level}], "
        f"allowed is {_limit(verdict.budget)}: {verdict.reason}"
    )


def _limit(budget: Budget) -> str:
    """Return a limit in the unit of what it is compared with, as it was written where it has it."""
    if budget.relative_to_baseline:
        return f"{budget.limit:g} x the baseline ({budget.text})"
    return f"{budget.limit:g} x {budget.peer}" if budget.peer else budget.text


def interval_header(verdicts: Sequence[Verdict]) -> str:
    """Return the head of a column of intervals: of what confidence they are."""
    levels = sorted({verdict.level for verdict in verdicts})
    return f"interval of {' and '.join(map(_percent, levels))}"


def _percent(level: float) -> str:
    return f"{100 * level:.4g} %"
