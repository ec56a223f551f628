"""A verdict in words."""

from __future__ import annotations

from affnet.bench.budgets.metrics import METRICS
from affnet.bench.budgets.verdicts import Verdict
from affnet.units import MEGABYTES, MILLISECONDS, Unit

_UNITS: dict[str | None, Unit | None] = {"time": MILLISECONDS, "bytes": MEGABYTES, None: None}


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
    return (
        f"{verdict.budget.metric} of {verdict.budget.model} is {value} [{interval}], "
        f"allowed is {verdict.budget.text}: {verdict.reason}"
    )
