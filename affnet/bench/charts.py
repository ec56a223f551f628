"""What charts have in common: those of the HTML report, and the pictures that commands draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import altair as alt
import vl_convert

from affnet.files import write_whole

_SHAPES = ["circle", "square", "triangle-up", "cross", "triangle-down", "triangle-left"]
_PNG_SCALE = 2
_FAR = 6  # the largest over the smallest of values that a linear axis would press together


def reaches_far(values: Sequence[float]) -> bool:
    """Whether values need a logarithmic axis."""
    return max(values) > _FAR * min(values) > 0


def latency_axis(field: str, title: str, *, far: bool) -> alt.X:
    """Return a horizontal axis of times, without a zero, which would only take room."""
    scale = alt.Scale(type="log", nice=False, padding=8) if far else alt.Scale(zero=False)
    return alt.X(f"{field}:Q", title=title, scale=scale)


def runtime_shape(runtimes: Sequence[str]) -> alt.Shape:
    """Give each runtime a shape, and say which where there are several."""
    legend = alt.Legend(title=None, orient="top") if len(runtimes) > 1 else None
    return alt.Shape(
        "runtime:N", scale=alt.Scale(domain=list(runtimes), range=_SHAPES), legend=legend
    )


def model_color(models: Sequence[str], *, legend: bool = False) -> alt.Color:
    """Colour by model; a model keeps its colour in all charts, whatever is filtered."""
    return alt.Color(
        "model:N",
        scale=alt.Scale(domain=list(models)),
        legend=alt.Legend(title=None, orient="top", columns=2) if legend else None,
    )


def expression(text: str) -> Any:
    """Return a property of a mark that the page computes for each of its rows."""
    return alt.ExprRef(text)


def layered(*layers: alt.Chart, height: Any, width: Any = "container") -> alt.LayerChart:
    """Lay charts over each other, as wide as the page is unless told."""
    chart = alt.layer(*layers).properties(width=width, height=height)
    return cast("alt.LayerChart", chart)  # it would be another only if a layer had facets


def rows_of(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Return rows as the data of a chart that is a picture by itself."""
    return alt.InlineData([dict(row) for row in rows])


def tooltips(*fields: str) -> list[alt.Tooltip]:
    """Show fields of a row, under their own names."""
    return [alt.Tooltip(f"{field}:{_type(field)}", title=field) for field in fields]


def write_picture(chart: alt.TopLevelMixin, path: Path) -> None:
    """Draw a chart as the PNG or SVG that the file's suffix names.

    Raises:
        OutputError: the file cannot be written.
    """
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    spec = chart.to_dict()
    if path.suffix == ".png":
        content = vl_convert.vegalite_to_png(spec, vl_version=version, scale=_PNG_SCALE)
    else:
        content = vl_convert.vegalite_to_svg(spec, vl_version=version).encode()
    write_whole(path, content)


_TEXTS = {
    "name", "kind", "series", "valid", "recorded", "commit", "session",
    "known", "source", "operator", "mixer",
}  # fmt: skip


def _type(field: str) -> str:
    return "N" if field in _TEXTS else "Q"
