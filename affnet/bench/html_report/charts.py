"""What the report's charts have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import altair as alt

_SHAPES = ["circle", "square", "triangle-up", "cross", "triangle-down", "triangle-left"]
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


def model_colour(models: Sequence[str], *, legend: bool = False) -> alt.Color:
    """Colour by model; a model keeps its colour in all charts, whatever is filtered."""
    return alt.Color(
        "model:N",
        scale=alt.Scale(domain=list(models)),
        legend=alt.Legend(title=None, orient="top", columns=2) if legend else None,
    )


def expression(text: str) -> Any:
    """Return a property of a mark that the page computes for each of its rows."""
    return alt.ExprRef(text)


def layered(*layers: alt.Chart, height: Any) -> alt.LayerChart:
    """Lay charts over each other, as wide as the page is."""
    chart = alt.layer(*layers).properties(width="container", height=height)
    return cast("alt.LayerChart", chart)  # it would be another only if a layer had facets


def tooltips(*fields: str) -> list[alt.Tooltip]:
    """Show fields of a row, under their own names."""
    return [alt.Tooltip(f"{field}:{_type(field)}", title=field) for field in fields]


_TEXTS = {
    "name", "kind", "series", "valid", "recorded", "commit", "session",
    "known", "source", "operator", "mixer",
}  # fmt: skip


def _type(field: str) -> str:
    return "N" if field in _TEXTS else "Q"
