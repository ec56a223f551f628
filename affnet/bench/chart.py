"""The chart of accuracy over latency: latency measured, accuracy quoted, and both said so."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from affnet.bench.result import Result, quoted_metrics
from affnet.errors import UsageError, require
from affnet.files import write_whole

SUFFIXES = (".png", ".svg")
_OWN = "affnet"  # what the names of this package's networks begin with


def check_drawable() -> None:
    """Raise `MissingError` unless matplotlib is installed: before minutes of measuring."""
    require("matplotlib", extra="plot", purpose="Drawing a chart")


def write_chart(results: Sequence[Result], path: Path) -> None:
    """Draw a point for each result with a ratio and a published accuracy, as a PNG or an SVG.

    The ratio to the peer, with its interval, and not the latency stands on the axis: what was
    measured at another time, when the machine was slower, is comparable by it alone.

    Raises:
        UsageError: there is no such result.
        MissingError: matplotlib is not installed.
    """
    check_drawable()
    from matplotlib.figure import Figure

    points = [
        (result, result.ratio_to_peer, top1)
        for result in results
        if (top1 := quoted_metrics(result.published).get("top1_percent")) and result.ratio_to_peer
    ]
    if not points:
        raise UsageError("No result has a published accuracy, so that there is nothing to draw.")
    first = points[0][0]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for result, ratio, top1 in points:
        ours = result.model.startswith(_OWN)
        axes.errorbar(
            ratio.value,
            top1,
            xerr=[[ratio.value - ratio.low], [ratio.high - ratio.value]],
            fmt="o",
            color="tab:red" if ours else "tab:gray",
            elinewidth=1,
        )
        axes.annotate(
            result.model,
            (ratio.value, top1),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=8,
            fontweight="bold" if ours else "normal",
        )
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
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.removeprefix("."), dpi=120)
    write_whole(path, picture.getvalue())
