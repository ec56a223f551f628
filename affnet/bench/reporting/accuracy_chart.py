"""The chart of accuracy over latency: latency measured, accuracy quoted, and both said so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from affnet.bench.charts import expression, layered, rows_of, write_picture
from affnet.bench.results.result import Result, quoted_metrics
from affnet.errors import UsageError

_OWN = "affnet"  # what the names of this package's networks begin with
_WIDTH, _HEIGHT = 760, 460
_LINE = 13  # pixels from one name to the next
_OURS, _OTHERS = "#d62728", "#7f7f7f"


def write_chart(results: Sequence[Result], path: Path) -> None:
    """Draw a point for each result with a ratio and a published accuracy, as a PNG or an SVG.

    The ratio to the peer, with its interval, and not the latency stands on the axis: what was
    measured at another time, when the machine was slower, is comparable by it alone.

    Raises:
        UsageError: there is no such result.
        OutputError: the file cannot be written.
    """
    shown = [result for result in results if _top1(result) and result.ratio_to_peer]
    if not shown:
        raise UsageError("No result has a published accuracy, so that there is nothing to draw.")
    rows = [_row(result) for result in sorted(shown, key=_top1)]
    _spread_names(rows)
    write_picture(_chart(rows, shown[0]), path)


def _top1(result: Result) -> float:
    return quoted_metrics(result.published).get("top1_percent", 0.0)


def _row(result: Result) -> dict[str, Any]:
    ratio = result.ratio_to_peer
    assert ratio is not None  # the others are left out
    return {
        "model": result.model,
        "ours": result.model.startswith(_OWN),
        "top1": _top1(result),
        "ratio": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
    }


def _spread_names(rows: Sequence[dict[str, Any]]) -> None:
    """Move names up, as far as none covers that of a lower accuracy; rows come sorted by it."""
    per_point = (rows[-1]["top1"] - rows[0]["top1"]) / _HEIGHT or 1.0
    free = 0.0  # the lowest height, in pixels, that no name has yet
    for row in rows:
        height = (row["top1"] - rows[0]["top1"]) / per_point
        row["raised"] = max(free - height, 0.0)
        free = height + row["raised"] + _LINE


def _chart(rows: list[dict[str, Any]], first: Result) -> alt.LayerChart:
    measured = (
        f"latency, x {first.peer} (measured: {first.device}, {first.runtime} "
        f"{first.runtime_version}, {first.threads} thread(s), {first.precision})"
    )
    scale = alt.Scale(type="log", nice=False, padding=60)
    base = alt.Chart(rows_of(rows)).encode(
        y=alt.Y(
            "top1:Q",
            title="ImageNet-1K top-1, % (quoted from the papers)",
            scale=alt.Scale(zero=False, padding=24),
        ),
        color=alt.condition(alt.datum.ours, alt.value(_OURS), alt.value(_OTHERS)),
    )
    names = base.mark_text(align="left", dx=8, dy=expression("-9 - datum.raised"))
    return layered(
        base.mark_rule().encode(x=alt.X("low:Q", title=measured, scale=scale), x2="high:Q"),
        base.mark_point(filled=True, opacity=1, size=50).encode(x="ratio:Q"),
        names.encode(x="ratio:Q", text="model:N"),
        height=_HEIGHT,
        width=_WIDTH,
    )
