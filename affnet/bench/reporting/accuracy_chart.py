"""The chart of accuracy over latency: latency measured, accuracy quoted, and both said so."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from affnet.bench.results.result import Result, quoted_metrics
from affnet.bench.statistics.intervals import Interval
from affnet.errors import UsageError, require
from affnet.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

SUFFIXES = (".png", ".svg")
_OWN = "affnet"  # what the names of this package's networks begin with
_ITERATIONS = 500  # at most, of moving names apart; it ends when none covers another


def check_drawable() -> None:
    """Raise `MissingError` unless the extra ``plot`` is there: before minutes of measuring."""
    for module in ("matplotlib", "adjustText"):
        require(module, extra="plot", purpose="Drawing a chart")


def write_chart(results: Sequence[Result], path: Path) -> None:
    """Draw a point for each result with a ratio and a published accuracy, as a PNG or an SVG.

    The ratio to the peer, with its interval, and not the latency stands on the axis: what was
    measured at another time, when the machine was slower, is comparable by it alone.

    Raises:
        UsageError: there is no such result.
        MissingError: the extra ``plot`` is not installed.
    """
    check_drawable()
    from adjustText import adjust_text
    from matplotlib.figure import Figure

    points = [
        (result, result.ratio_to_peer, top1)
        for result in results
        if (top1 := quoted_metrics(result.published).get("top1_percent")) and result.ratio_to_peer
    ]
    if not points:
        raise UsageError("No result has a published accuracy, so that there is nothing to draw.")
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    _name_axes(axes, points[0][0])
    names = [_draw_interval(axes, result, ratio, top1) for result, ratio, top1 in points]
    dots = axes.scatter(
        [ratio.value for _, ratio, _ in points],
        [top1 for _, _, top1 in points],
        c=["tab:red" if _is_own(result) else "tab:gray" for result, _, _ in points],
    )
    figure.draw_without_rendering()  # lays the axes out, whose size decides what names cover
    adjust_text(
        names,
        objects=dots,
        ax=axes,
        expand=(1.05, 1.3),
        iter_lim=_ITERATIONS,
        arrowprops={"arrowstyle": "-", "color": "tab:gray", "linewidth": 0.5},
    )
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.removeprefix("."))
    write_whole(path, picture.getvalue())


def _name_axes(axes: Axes, first: Result) -> None:
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="x", which="both", labelsize=8)
    axes.set_xlabel(
        f"latency, x {first.peer} (measured: {first.device}, {first.runtime} "
        f"{first.runtime_version}, {first.threads} thread(s), {first.precision})"
    )
    axes.set_ylabel("ImageNet-1K top-1, % (quoted from the papers)")
    axes.grid(alpha=0.3)


def _draw_interval(axes: Axes, result: Result, ratio: Interval, top1: float) -> Text:
    """Draw a result's interval, and return its name, which may be moved."""
    ours = _is_own(result)
    axes.errorbar(
        ratio.value,
        top1,
        xerr=[[ratio.value - ratio.low], [ratio.high - ratio.value]],
        fmt="none",
        ecolor="tab:red" if ours else "tab:gray",
        elinewidth=1,
    )
    weight = "bold" if ours else "normal"
    return axes.text(ratio.value, top1, result.model, fontsize=8, fontweight=weight)


def _is_own(result: Result) -> bool:
    return result.model.startswith(_OWN)
