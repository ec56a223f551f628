"""Where the time goes: the operators of each part of a network."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from affnet.bench.charts import expression, layered, tooltips
from affnet.bench.html_report.data import Entry, ReportData
from affnet.bench.html_report.section import Figure, Row, Section, rounded
from affnet.bench.measurement.profiling import by_operator, parts_of
from affnet.devices.base import OperatorTime
from affnet.units import MILLISECONDS, PERCENT

_PROFILES = 12  # figures
_KINDS = 7  # of operators with a colour of their own
_OTHERS = "others"
_HEIGHT = 34  # of a row, px
_NAME_AT, _BAR_AT = 0.2, 0.7
_LONGEST = 30  # name of a module, in characters: what a phone has room for beside the time
_WHOLE = "(the whole network)"
_EARLY = "(before the first weights)"


def operators(data: ReportData) -> Section:
    """Draw the profiles of results that hold one, the newest of each kind."""
    profiled = [
        (group, entry)
        for group, entries in data.newest()
        for entry in entries
        if entry.result.operators
    ]
    kinds = _kinds([entry for _, entry in profiled[:_PROFILES]])
    explanation = (
        "The time of each part of the network, in the order of execution, by type of operator. "
        "A run that is watched is slower than one that is timed: read the shares."
    )
    if len(profiled) > _PROFILES:
        explanation += f" {_PROFILES} of {len(profiled)} profiles are drawn; --model chooses."
    return Section(
        "Operators",
        explanation,
        [
            Figure(
                heading=f"{entry.kind} ({group.conditions.device}), watched by the profiler of "
                f"{entry.result.runtime}",
                chart=_chart(kinds),
                rows={"times": _times(entry, kinds), "parts": _parts(entry)},
            )
            for group, entry in profiled[:_PROFILES]
        ],
        empty="No result holds a profile; take one with: affnet bench MODEL --profile",
    )


def _kinds(entries: Sequence[Entry]) -> list[str]:
    """Return the types of operators that take most time, in all profiles together."""
    totals: dict[str, float] = {}
    for entry in entries:
        found = by_operator([time for _, times in _divided(entry) for time in times])
        whole = sum(found.values()) or 1
        for name, time in found.items():
            totals[name] = totals.get(name, 0) + time / whole
    return sorted(totals, key=lambda name: -totals[name])[:_KINDS]


def _divided(entry: Entry) -> list[tuple[str, list[OperatorTime]]]:
    """Return the parts of a network; a single one where the runtime names no modules."""
    times = list(entry.result.operators)
    if not any(time.module for time in times):
        return [(_WHOLE, times)]
    return [(name or _EARLY, found) for name, found in parts_of(times)]


def _times(entry: Entry, kinds: Sequence[str]) -> list[Row]:
    rows = []
    for order, (_, times) in enumerate(_divided(entry)):
        found = by_operator(times)
        shown = {kind: found[kind] for kind in kinds if kind in found}
        if rest := sum(found.values()) - sum(shown.values()):
            shown[_OTHERS] = rest
        rows += [
            {
                "result": entry.index,
                "part": order,
                "operator": kind,
                "rank": rank,
                "ms": rounded(time / MILLISECONDS.size, 4),
            }
            for rank, (kind, time) in enumerate(shown.items())
        ]
    return rows


def _parts(entry: Entry) -> list[Row]:
    total = sum(time.mean_ns for time in entry.result.operators) or 1
    rows = []
    for order, (name, times) in enumerate(_divided(entry)):
        time = sum(time.mean_ns for time in times)
        text = f"{MILLISECONDS.text(time)}, {PERCENT.text(time / total)}"
        rows.append({"result": entry.index, "part": order, "module": _short(name), "text": text})
    return rows


def _short(name: str) -> str:
    """Return the end of a long name, which says most, from the start of one of its parts."""
    if len(name) <= _LONGEST:
        return name
    end = name[-_LONGEST:]
    return "\N{HORIZONTAL ELLIPSIS}" + (end.partition(".")[2] or end)


def _chart(kinds: Sequence[str]) -> alt.LayerChart:
    row = alt.Y("part:O", axis=None)
    scale = alt.Scale(domain=[0, 1])
    bars = (
        alt.Chart(alt.NamedData("times"))
        .mark_bar(height=12)
        .encode(
            x=alt.X("ms:Q", title=f"{MILLISECONDS.symbol}, watched", stack="zero"),
            y=row,
            yOffset=alt.YOffset(datum=_BAR_AT, scale=scale),
            order="rank:Q",
            color=alt.Color(
                "operator:N",
                scale=alt.Scale(domain=[*kinds, _OTHERS]),
                legend=alt.Legend(title=None, orient="top", columns=3, labelLimit=100),
            ),
            tooltip=tooltips("operator", "ms"),
        )
    )
    names = alt.Chart(alt.NamedData("parts")).encode(
        y=row, yOffset=alt.YOffset(datum=_NAME_AT, scale=scale)
    )
    return layered(
        bars,
        names.mark_text(align="left", style="name", limit=expression("width - 100")).encode(
            x=alt.value(0), text="module:N"
        ),
        names.mark_text(align="right", style="value").encode(x=alt.value("width"), text="text:N"),
        height=alt.Step(_HEIGHT),
    )
