"""How a model's numbers went from commit to commit, beside its budgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import altair as alt

from affnet.bench.budgets.budget_file import Budget
from affnet.bench.budgets.metrics import METRICS
from affnet.bench.charts import expression, layered, model_color, tooltips
from affnet.bench.html_report.data import Entry, ReportData
from affnet.bench.html_report.section import Figure, Row, Section, rounded
from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import Interval, percentile_interval, ratio_interval
from affnet.bench.store.comparison import Group
from affnet.units import MEGABYTES, MILLISECONDS

_HEIGHT = 260
#: A metric, and the peer it is divided by, if it is.
_Quantity = tuple[str, str | None]
_UNITS = {"time": MILLISECONDS, "bytes": MEGABYTES}


def history(data: ReportData) -> Section:
    """Draw medians, ratios, and whatever is budgeted, over the runs that measured them."""
    figures = [
        figure
        for group, entries in data.groups
        for quantity in _quantities(data, group)
        if (figure := _figure(data, group, entries, quantity))
    ]
    explanation = (
        "Each point is a run, oldest first, with its 95 % interval; medians of different runs "
        "drift with the machine, ratios to a peer measured in the same turns do not. Dashed red "
        "lines are budgets. "
    )
    if unplaced := [budget.name for budget in data.budgets if budget.relative_to_baseline]:
        explanation += (
            f"Not drawn, as their baseline is not part of the results: {'; '.join(unplaced)}."
        )
    return Section(
        "History",
        explanation,
        figures,
        empty="No model was measured more than once in the same way; keep results with "
        "affnet bench --store, and show more of them with --last.",
    )


def _quantities(data: ReportData, group: Group) -> list[_Quantity]:
    found: list[_Quantity] = [("median", None)]
    if data.comparison.peer:
        found.append(("median", data.comparison.peer))
    found += [
        (budget.metric, budget.peer)
        for budget in data.budgets
        if _is_of(budget, group) and not budget.relative_to_baseline
    ]
    return list(dict.fromkeys(found))


def _is_of(budget: Budget, group: Group) -> bool:
    place, conditions = budget.place, group.conditions
    return (place.device, place.threads) == (conditions.device, conditions.threads)


def _figure(
    data: ReportData, group: Group, entries: Sequence[Entry], quantity: _Quantity
) -> Figure | None:
    """Draw one quantity of a group; None where there is nothing to see."""
    metric, peer = quantity
    ordered = sorted(entries, key=lambda entry: entry.result.recorded_at)
    values = [
        (entry, value) for entry in ordered if (value := _value(entry.result, ordered, quantity))
    ]
    limits = [
        row
        for budget in data.budgets
        if (budget.metric, budget.peer) == quantity and _is_of(budget, group)
        if (row := _limit(budget, values))
    ]
    runs = Counter(entry.series for entry, _ in values)
    budgeted = {index for row in limits for index in row["results"]}
    values = [(e, v) for e, v in values if runs[e.series] > 1 or e.index in budgeted]
    if not values:
        return None
    name = metric.replace("_", " ")
    title = f"{name} x {peer}" if peer else name
    size, symbol = _unit(quantity)
    return Figure(
        heading=": ".join(filter(None, (title, data.heading(group)))),
        chart=_chart(data.models, f"{name} {symbol}"),
        rows={"runs": list(_points(values, size)), "budgets": limits},
    )


def _unit(quantity: _Quantity) -> tuple[float, str]:
    metric, peer = quantity
    unit = None if peer else _UNITS.get(METRICS[metric].dimension or "")
    return (unit.size, unit.symbol) if unit else (1.0, "ratio" if peer else "")


def _value(result: Result, entries: Sequence[Entry], quantity: _Quantity) -> Interval | None:
    """Return a result's quantity with its interval, None where it was not measured."""
    name, peer = quantity
    metric = METRICS[name]
    value = metric.value(result)
    if value is None or result.model == peer:
        return None
    if peer is None:
        if metric.quantile is None:
            return Interval(value, value, value)
        found = percentile_interval(result.samples_ns, metric.quantile)
        return Interval(value, found.low, found.high)
    if metric.quantile == 0.5 and result.peer == peer and result.ratio_to_peer:
        return result.ratio_to_peer
    partner = _partner(result, entries, peer)
    if partner is None or not (other := metric.value(partner)):
        return None
    if metric.quantile is None:
        return Interval(value / other, value / other, value / other)
    return ratio_interval(result.blocks_ns, partner.blocks_ns, metric.quantile)


def _partner(result: Result, entries: Sequence[Entry], peer: str) -> Result | None:
    """Return the peer's result of the same turns."""
    for entry in entries:
        other = entry.result
        if result.session and (other.session, other.model, other.runtime) == (
            result.session, peer, result.runtime,
        ):  # fmt: skip
            return other
    return None


def _points(values: Sequence[tuple[Entry, Interval]], size: float) -> Iterator[Row]:
    names: dict[tuple[str, str], str] = {}  # of runs: several may be of one commit
    taken: Counter[str] = Counter()
    for entry, value in values:
        key = (entry.result.session or entry.result.recorded_at, entry.run)
        if key not in names:
            taken[entry.run] += 1
            again = f" ({taken[entry.run]})" if taken[entry.run] > 1 else ""
            names[key] = entry.run + again
        yield {
            "result": entry.index,
            "run": names[key],
            "value": rounded(value.value / size),
            "low": rounded(value.low / size),
            "high": rounded(value.high / size),
        }


def _limit(budget: Budget, values: Sequence[tuple[Entry, Interval]]) -> Row | None:
    """Return a budget's line, None where nothing of its model is drawn."""
    if budget.relative_to_baseline:
        return None
    results = [
        entry.index
        for entry, _ in values
        if (entry.result.model, entry.result.runtime) == (budget.model, budget.place.runtime)
    ]
    if not results:
        return None
    size, _ = _unit((budget.metric, budget.peer))
    description = f"{budget.model}, {budget.place.runtime}: {budget.text}"
    return {"results": results, "limit": rounded(budget.limit / size), "budget": description}


def _chart(models: Sequence[str], title: str) -> alt.LayerChart:
    runs = alt.Chart(alt.NamedData("runs")).encode(
        x=alt.X("run:O", sort=None, title=None, axis=alt.Axis(labelAngle=-40, labelOverlap=True)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
        color=model_color(models, legend=True),
        detail="series:N",
    )
    hollow = alt.condition(alt.datum.doubtful, alt.value(0), alt.value(1))
    budgets = alt.Chart(alt.NamedData("budgets")).encode(y=alt.Y("limit:Q"))
    return layered(
        runs.mark_rule(opacity=0.5, strokeWidth=2).encode(y=alt.Y("low:Q"), y2="high:Q"),
        runs.mark_line(strokeWidth=2).encode(
            strokeDash=alt.StrokeDash("runtime:N", legend=alt.Legend(title=None, orient="top"))
        ),
        runs.mark_point(size=50, strokeWidth=2).encode(
            fill=model_color(models, legend=True),
            fillOpacity=hollow,
            tooltip=tooltips(
                "series", "value", "low", "high", "recorded", "commit", "session", "valid"
            ),
        ),
        budgets.mark_rule(strokeWidth=1.5, strokeDash=[6, 4], style="budget"),
        budgets.mark_text(
            align="left", dy=-7, dx=4, style="limit", limit=expression("width - 8")
        ).encode(x=alt.value(0), text="budget:N"),
        height=_HEIGHT,
    )
