"""The log-log chart of ``affnet bench mixers``: in the HTML report, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from affnet.bench.charts import layered, rows_of, tooltips, write_picture
from affnet.bench.mixers.grid import REFERENCE, Cell, Grid
from affnet.bench.results.ratios import median_interval
from affnet.units import MILLISECONDS

_HEIGHT = 380
_PICTURE_WIDTH = 560  # of a panel of the picture; the report's charts are as wide as the page
_SHAPES = (
    "circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left",
    "triangle-right",
)  # fmt: skip
_COLORS = 8  # of the page; with as many shapes, shifted, no two mixers look the same


def growth_chart(mixers: Sequence[str], width: Any = "container") -> alt.LayerChart:
    """Chart latency over tokens, of the data named "points", of these mixers."""
    legend = alt.Legend(title=None, orient="top", columns=4)
    shapes = [_SHAPES[(n + n // _COLORS) % len(_SHAPES)] for n in range(len(mixers))]
    base = alt.Chart(alt.NamedData("points")).encode(
        x=alt.X(
            "tokens:Q", title="tokens (pixels of the map)", scale=alt.Scale(type="log", base=2)
        ),
        y=alt.Y(
            "median:Q",
            title=f"median latency {MILLISECONDS.symbol}",
            scale=alt.Scale(type="log", nice=False, padding=8),
        ),
        color=alt.Color("mixer:N", scale=alt.Scale(domain=list(mixers)), legend=legend),
    )
    bold = alt.condition(alt.datum.mixer == REFERENCE, alt.value(3.5), alt.value(1.5))
    return layered(
        base.mark_rule(opacity=0.6).encode(alt.Y("low:Q"), y2="high:Q"),
        base.mark_line().encode(detail="mixer:N", strokeWidth=bold),
        base.mark_point(size=60, filled=True).encode(
            shape=alt.Shape("mixer:N", scale=alt.Scale(domain=list(mixers), range=shapes)),
            tooltip=tooltips("mixer", "tokens", "median", "low", "high", "valid"),
        ),
        height=_HEIGHT,
        width=width,
    )


def draw(grid: Grid, path: Path) -> None:
    """Draw latency over tokens as a PNG or SVG, a panel for each runtime and number of channels.

    Raises:
        OutputError: the file cannot be written.
    """
    panels: dict[str, list[Cell]] = {}
    for cell in grid.cells:
        if cell.result:
            heading = f"{cell.setting.runtime}, {cell.setting.channels} channels"
            panels.setdefault(heading, []).append(cell)
    mixers = [mixer.name for mixer in grid.mixers]
    charts = [
        growth_chart(mixers, _PICTURE_WIDTH).properties(
            title=heading, data=rows_of([_row(cell) for cell in cells])
        )
        for heading, cells in panels.items()
    ]
    write_picture(alt.hconcat(*charts), path)


def _row(cell: Cell) -> dict[str, Any]:
    assert cell.result  # panels hold no other
    interval, size = median_interval(cell.result), MILLISECONDS.size
    return {
        "mixer": cell.mixer,
        "tokens": cell.setting.tokens,
        "median": interval.value / size,
        "low": interval.low / size,
        "high": interval.high / size,
    }
