"""How the latency of token mixers grows with the map: what ``affnet bench mixers`` measured."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from affnet.bench.html_report.data import Entry, ReportData
from affnet.bench.html_report.section import Figure, Listing, Row, Section, rounded
from affnet.bench.mixers.chart import growth_chart
from affnet.bench.mixers.grid import REFERENCE
from affnet.bench.mixers.growth import REFERENCE_TOKENS, PowerLaw, fit_power_law
from affnet.bench.results.ratios import median_interval
from affnet.table import Table, numbers, texts
from affnet.units import MILLISECONDS

_COUNT = "([1-9][0-9]{0,5})"
_NAME = re.compile(rf"([a-z0-9]+)-{_COUNT}x{_COUNT}x{_COUNT}")  # mixer, channels, height, width
_SIDE = math.isqrt(REFERENCE_TOKENS)

#: By mixer and tokens.
_Points = dict[str, dict[int, Entry]]


def mixers(data: ReportData) -> Section | None:
    """Draw latency over tokens, and fit its growth; None where no mixer has two map sizes."""
    parts: list[Figure | Listing] = []
    for heading, points in _panels(data).items():
        parts.append(Figure(heading, growth_chart(list(points)), {"points": _rows(points)}))
        parts.append(Listing(_growth(heading, points)))
    if not parts:
        return None
    return Section(
        "Token mixers",
        "One mixer with its residual connection, on maps of several sizes; each pixel is a token. "
        "Both axes are logarithmic: a straight line is a power of the number of tokens, and its "
        "slope the exponent. Lines are 95 % intervals of the medians. Times of different map "
        "sizes were not measured in the same turns.",
        parts,
    )


def _panels(data: ReportData) -> dict[str, _Points]:
    """Return what stands in one chart: the same device, protocol, runtime and channels."""
    panels: dict[str, _Points] = {}
    for group, entries in data.newest():
        for entry in entries:
            result = entry.result
            named = _NAME.fullmatch(result.model)
            if named is None:
                continue
            mixer, channels, height, width = named.groups()
            parts = (f"{channels} channels", result.runtime, result.precision, data.heading(group))
            points = panels.setdefault(", ".join(filter(None, parts)), {})
            points.setdefault(mixer, {})[int(height) * int(width)] = entry
    grown = {
        heading: {mixer: found for mixer, found in points.items() if len(found) > 1}
        for heading, points in panels.items()
    }
    return {heading: points for heading, points in grown.items() if points}


def _rows(points: _Points) -> list[Row]:
    size = MILLISECONDS.size
    return [
        {
            "result": entry.index,
            "mixer": mixer,
            "tokens": tokens,
            "median": rounded(interval.value / size),
            "low": rounded(interval.low / size),
            "high": rounded(interval.high / size),
        }
        for mixer, found in points.items()
        for tokens, entry in sorted(found.items())
        for interval in (median_interval(entry.result),)
    ]


def _growth(heading: str, points: _Points) -> Table:
    fits = {
        mixer: fit_power_law(
            list(found), [entry.result.summary().median for entry in found.values()]
        )
        for mixer, found in points.items()
    }
    rows = [[mixer, *_cells(fit, fits)] for mixer, fit in fits.items()]
    fitted = f"ms at {_SIDE}x{_SIDE}, fitted"
    header = [*texts("mixer"), *numbers("exponent [95 %]", fitted, f"x {REFERENCE}")]
    return Table(header, rows, f"Growth with the tokens: {heading}")


def _cells(fit: PowerLaw, fits: Mapping[str, PowerLaw]) -> Sequence[str]:
    exponent, constant = fit.exponent, fit.constant.value
    interval = f" [{exponent.low:.2f}, {exponent.high:.2f}]" if exponent.high < math.inf else ""
    reference = fits.get(REFERENCE)
    return (
        f"{exponent.value:.2f}{interval}",
        f"{constant / MILLISECONDS.size:.3g}",
        f"{constant / reference.constant.value:.2f}" if reference else "-",
    )
