"""Latency distributions: each result's samples, with its percentiles."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from affnet.bench.charts import (
    expression,
    latency_axis,
    layered,
    model_color,
    reaches_far,
    tooltips,
)
from affnet.bench.html_report.data import Entry, ReportData
from affnet.bench.html_report.section import Figure, Row, Section, rounded
from affnet.bench.results.ratios import median_interval
from affnet.units import MILLISECONDS

_DOTS = 12_000  # on the whole page
_FEWEST, _MOST = 24, 240  # of one result
_RESULTS = 30  # drawn at once in one figure
_BINS = 40
# beyond this multiple of the 99th percentile (or the median, where that is all) a sample is marked
# in words: one that waited for the machine would press all others together
_REACH = 1.5

_HEIGHT = 46  # of a row, px; the name stands in its upper part, the samples in its lower part
_NAME_AT, _MIDDLE = 0.12, 0.66
_HALF = 0.26


def distributions(data: ReportData) -> Section:
    """Draw samples as dots, spread where they are dense, under median, quartiles and tail."""
    dots = int(np.clip(_DOTS // len(data.entries), _FEWEST, _MOST))
    figures = [
        Figure(
            heading=data.heading(group),
            chart=_chart(entries, data.models),
            rows={
                "samples": [row for entry in entries for row in _samples(entry, dots)],
                "summaries": [_summary(entry) for entry in entries],
            },
            most=_RESULTS,
            note=_thinned(entries, dots),
        )
        for group, entries in data.groups
    ]
    return Section(
        "Latency distributions",
        "A dot is a sample; dots spread where samples are dense. The bar holds the middle half "
        "of all samples, the long tick is the median, the short ones are the 90th and 99th "
        "percentile. An arrow marks samples that are further off than the axis reaches.",
        figures,
    )


def _chart(entries: Sequence[Entry], models: Sequence[str]) -> alt.LayerChart:
    far = reaches_far([entry.result.summary().median for entry in entries])
    row = alt.Y("result:O", axis=None)
    middle = alt.YOffset(datum=_MIDDLE, scale=alt.Scale(domain=[0, 1]))
    summaries = alt.Chart(alt.NamedData("summaries")).encode(
        y=row,
        tooltip=tooltips("name", "median", "p90", "p99", "fastest", "slowest", "runs", "valid"),
    )
    dots = (
        alt.Chart(alt.NamedData("samples"))
        .mark_circle(size=14, opacity=0.45, tooltip=False)
        .encode(
            x=latency_axis("ms", "latency ms", far=far),
            y=row,
            yOffset=alt.YOffset("at:Q", scale=alt.Scale(domain=[0, 1])),
            color=model_color(models),
        )
    )
    bar = summaries.mark_rule(strokeWidth=5, opacity=0.85).encode(
        x="p25:Q", x2="p75:Q", yOffset=middle, color=model_color(models)
    )
    tails = [
        summaries.mark_tick(size=13, thickness=1.5, style="tail").encode(
            x=f"{name}:Q", yOffset=middle
        )
        for name in ("p90", "p99")
    ]
    median = summaries.mark_tick(size=25, thickness=2.5, style="ink").encode(
        x="median:Q", yOffset=middle
    )
    return layered(dots, bar, *tails, median, *_texts(row), height=alt.Step(_HEIGHT))


def _texts(row: alt.Y) -> list[alt.Chart]:
    """Return each row's name, at the left, and at the right its numbers."""
    base = alt.Chart(alt.NamedData("summaries")).encode(
        y=row, yOffset=alt.YOffset(datum=_NAME_AT, scale=alt.Scale(domain=[0, 1]))
    )
    name = base.mark_text(align="left", style="name", limit=expression("width - 80"))
    median = base.mark_text(align="right", style="value")
    beyond = base.mark_text(align="right", style="value", dy=round(_HEIGHT * (_MIDDLE - _NAME_AT)))
    return [
        name.encode(x=alt.value(0), text="name:N"),
        median.encode(x=alt.value("width"), text="text:N"),
        beyond.encode(x=alt.value("width"), text="beyond:N"),
    ]


def _samples(entry: Entry, most: int) -> list[Row]:
    """Return a result's samples within reach, at most so many, evenly spaced by rank."""
    near, _ = _within_reach(entry)
    kept = near[np.unique(np.linspace(0, len(near) - 1, min(most, len(near))).round().astype(int))]
    return [
        {"result": entry.index, "ms": rounded(ms), "at": rounded(at, 3)}
        for ms, at in zip(kept / MILLISECONDS.size, _spread(kept), strict=True)
    ]


def _within_reach(entry: Entry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a result's samples in ns by rank: those that are drawn, and those that are not."""
    samples = np.sort(np.asarray(entry.result.samples_ns, np.float64))
    reach = _REACH * float(np.quantile(samples, 0.99 if len(samples) >= 100 else 0.5))
    return samples[samples <= reach], samples[samples > reach]


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where in its row each sample stands: further from the middle where they are dense.

    The golden ratio's multiples fill the room evenly, and are the same at each run.
    """
    counts, edges = np.histogram(values, _BINS)
    density = np.convolve(counts, (1, 2, 3, 2, 1), mode="same")
    here = density[np.clip(np.searchsorted(edges, values, "right") - 1, 0, _BINS - 1)]
    turns = np.modf(np.arange(len(values)) * 0.6180339887498949)[0] * 2 - 1
    spread: NDArray[np.float64] = _MIDDLE + _HALF * turns * here / density.max()
    return spread


def _summary(entry: Entry) -> Row:
    result, summary = entry.result, entry.result.summary()
    low, high = np.percentile(result.samples_ns, (25, 75))
    _, beyond = _within_reach(entry)
    text = MILLISECONDS.text(summary.median)
    further = ""
    if len(beyond):
        slowest = MILLISECONDS.text(float(beyond[-1]))
        further = f"{len(beyond)} up to {slowest} \N{RIGHTWARDS ARROW}"
    interval = median_interval(result)
    numbers = {
        "median": interval.value,
        "p25": float(low),
        "p75": float(high),
        "p90": summary.p90,
        "p99": summary.p99,
        "fastest": summary.minimum,
        "slowest": None if result.block_statistics else float(max(result.samples_ns)),
    }
    return {
        "result": entry.index,
        "text": text,
        "beyond": further,
        "runs": result.runs,
        **{
            name: None if value is None else rounded(value / MILLISECONDS.size)
            for name, value in numbers.items()
        },
    }


def _thinned(entries: Sequence[Entry], dots: int) -> str:
    most = max(len(entry.result.samples_ns) for entry in entries)
    if most <= dots:
        return ""
    return (
        f"Of each result at most {dots} of up to {most} samples are drawn, evenly spaced by rank; "
        "percentiles are those of all."
    )
