"""The chart of accuracy over latency: latency measured, accuracy quoted, and both said so."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from affnet.bench.result import Result
from affnet.errors import UsageError, require
from affnet.files import write_whole
from affnet.units import MILLISECONDS

SUFFIXES = (".png", ".svg")
_OWN = "affnet"  # what the names of this package's networks begin with


def check_drawable() -> None:
    """Raise `MissingError` unless matplotlib is installed: before minutes of measuring."""
    require("matplotlib", extra="plot", purpose="Drawing a chart")


def write_chart(results: Sequence[Result], path: Path) -> None:
    """Draw a point for each result whose accuracy is published, and write a PNG or an SVG.

    Raises:
        UsageError: no result has a published accuracy.
        MissingError: matplotlib is not installed.
    """
    check_drawable()
    from matplotlib.figure import Figure

    points = [(result, result.published) for result in results if result.published]
    if not points:
        raise UsageError("No result has a published accuracy, so that there is nothing to draw.")
    first = results[0]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for result, published in points:
        ours = result.model.startswith(_OWN)
        latency = result.summary().median / MILLISECONDS.size
        top1 = published["top1_percent"]
        axes.scatter(latency, top1, s=36 if ours else 20, color="tab:red" if ours else "tab:gray")
        axes.annotate(
            result.model,
            (latency, top1),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=8,
            fontweight="bold" if ours else "normal",
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="x", which="both", labelsize=8)
    axes.set_xlabel(
        f"median latency, ms (measured: {first.device}, {first.runtime} {first.runtime_version}, "
        f"{first.threads} thread(s), {first.precision})"
    )
    axes.set_ylabel("ImageNet-1K top-1, % (quoted from the papers)")
    axes.grid(alpha=0.3)
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.removeprefix("."), dpi=120)
    write_whole(path, picture.getvalue())
