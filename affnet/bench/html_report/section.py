"""What a section of the report consists of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affnet.table import Table

if TYPE_CHECKING:
    import altair as alt

#: A row of data.  ``result`` names the entry it belongs to, or ``results`` several: the filters
#: leave out rows none of whose entries they show.  A row with neither always stays.
Row = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A chart, and the data that it names."""

    heading: str
    chart: alt.LayerChart | alt.Chart
    rows: Mapping[str, Sequence[Row]]
    most: int = 0  # draws only the newest so many of the results that the filters leave; 0: all
    note: str = ""


@dataclass(frozen=True)
class Listing:
    """A table, below its title."""

    table: Table
    entries: Sequence[int] = ()  # the entry that each row is of; none: rows always stay
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """A part of the page under a title of its own."""

    title: str
    explanation: str
    parts: Sequence[Figure | Listing]
    empty: str = ""  # why there are no parts, and how there would be


def rounded(value: float | None, digits: int = 6) -> float | None:
    """Return a number as the page keeps it; None for what JSON has no number for."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")
