"""Latency against what is paid or bought with it: accuracy, size."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from affnet.bench.charts import (
    expression,
    latency_axis,
    layered,
    model_color,
    reaches_far,
    runtime_shape,
    tooltips,
)
from affnet.bench.html_report.accuracies import accuracies
from affnet.bench.html_report.data import Entry, ReportData
from affnet.bench.html_report.section import Figure, Row, Section, rounded
from affnet.bench.results.ratios import median_interval
from affnet.units import MEGABYTES, MILLISECONDS

_HEIGHT = 300
_NAMED = 8  # points that can bear their names without covering each other
_LEVELS = 4  # of names above each other
_NEWEST = "Of each model, runtime and precision the newest result is drawn."


def accuracy(data: ReportData) -> Section:
    """Draw accuracy over latency, each data set and what is quoted by itself."""
    figures = []
    for group, entries in data.newest():
        found: dict[tuple[str, str, str], list[Row]] = {}
        for entry in entries:
            for known in accuracies(entry.result):
                low, high = known.interval or (known.percent, known.percent)
                found.setdefault((*known.of, known.metric), []).append(
                    _point(entry)
                    | {"y": rounded(known.percent), "from": rounded(low), "to": rounded(high)}
                    | {"known": known.known, "source": known.source}
                )
        for (of, _, metric), points in sorted(found.items()):
            heading = ": ".join(filter(None, (of, data.heading(group))))
            figures.append(_figure(heading, points, data, f"{metric} %"))
    return Section(
        "Latency against accuracy",
        "Up and to the left is better. A shape is a runtime; an outline of dashes is an accuracy "
        "that is quoted. What was found on different images stands in different charts. Lines are "
        "95 % intervals, across of the median latency. " + _NEWEST,
        figures,
        empty="No result has an accuracy, measured (affnet eval) or quoted.",
    )


def size(data: ReportData) -> Section:
    """Draw the size of files over latency."""
    figures = []
    for group, entries in data.newest():
        points = []
        for entry in entries:
            if (size_bytes := entry.result.file_bytes) > 0:
                size = rounded(size_bytes / MEGABYTES.size)
                known = {"known": "measured", "source": "the file"}
                points.append(_point(entry) | {"y": size, "from": size, "to": size} | known)
        if points:
            title = f"file {MEGABYTES.symbol}"
            figures.append(_figure(data.heading(group), points, data, title))
    return Section(
        "Latency against size",
        "Down and to the left is better. A shape is a runtime. " + _NEWEST,
        figures,
        empty="No result has the size of its file.",
    )


def _figure(heading: str, points: list[Row], data: ReportData, title: str) -> Figure:
    _set_levels(points)
    return Figure(heading, _chart(points, data, title), {"points": points})


def _point(entry: Entry) -> Row:
    interval = median_interval(entry.result)
    size = MILLISECONDS.size
    return {
        "result": entry.index,
        "median": rounded(interval.value / size),
        "low": rounded(interval.low / size),
        "high": rounded(interval.high / size),
    }


def _set_levels(points: Sequence[Row]) -> None:
    """Spread the names of points of nearly the same height over levels, so that they can be read.

    Names grow towards the middle of the chart; the lowest level is that of the rightmost point.
    """
    ordered = sorted(points, key=lambda point: point["y"])
    near = (ordered[-1]["y"] - ordered[0]["y"]) / _HEIGHT * 14
    clusters: list[list[Row]] = []
    for point in ordered:
        if clusters and point["y"] - clusters[-1][-1]["y"] <= near:
            clusters[-1].append(point)
        else:
            clusters.append([point])
    for cluster in clusters:
        for level, point in enumerate(sorted(cluster, key=lambda point: -point["median"])):
            point["level"] = level


def _chart(points: Sequence[Row], data: ReportData, title: str) -> alt.LayerChart:
    far = reaches_far([point["median"] for point in points])
    named = len(points) <= _NAMED and max(point["level"] for point in points) < _LEVELS
    base = alt.Chart(alt.NamedData("points")).encode(
        x=latency_axis("median", f"median latency {MILLISECONDS.symbol}", far=far),
        y=alt.Y("y:Q", title=title, scale=alt.Scale(zero=False, padding=24)),
        color=model_color(data.models, legend=not named),
    )
    interval = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(alt.X("low:Q"), x2="high:Q")
    points_drawn = base.mark_point(size=110, strokeWidth=2).encode(
        shape=runtime_shape(data.runtimes),
        strokeDash=alt.condition(alt.datum.known == "quoted", alt.value([3, 2]), alt.value([])),
        fillOpacity=alt.condition(alt.datum.doubtful, alt.value(0), alt.value(0.85)),
        fill=model_color(data.models, legend=not named),
        tooltip=tooltips(
            "kind", "median", "low", "high", "y", "from", "to", "known", "source", "valid"
        ),
    )
    spread = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(alt.Y("from:Q"), y2="to:Q")
    layers = [interval, spread, points_drawn]
    if named:
        at = "scale('x', datum.median)"
        left = f"{at} < width / 2"  # names grow towards the middle, and stay inside the chart
        names = base.mark_text(
            align=expression(f"{left} ? 'left' : 'right'"),
            dx=expression(f"{left} ? -4 : 4"),
            limit=expression(f"({left} ? width - {at} : {at}) + 4"),
            dy=expression("-15 - 14 * datum.level"),
            style="name",
        )
        layers.append(names.encode(text="kind:N"))
    return layered(*layers, height=_HEIGHT)
