"""The curve of latencies under minutes of load, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from affnet.bench.results.result import Result
from affnet.bench.statistics.throttling import LatencyCurve
from affnet.units import MILLISECONDS

_STATES = {"temperature_celsius": "°C", "frequency_mhz": "MHz", "thermal_status": "thermal status"}


def to_rich(results: Sequence[Result]) -> Iterator[tuple[str, Table]]:
    """Yield a title and a table for each device that was under load."""
    for title, rows in _tables(results):
        table = Table(box=None, header_style="bold", pad_edge=False)
        for header in rows[0]:
            table.add_column(header, justify="right")
        for row in rows[1:]:
            table.add_row(*row)
        yield title, table


def to_markdown(results: Sequence[Result]) -> str:
    """Return the same as Markdown; "" where nothing was under load."""
    parts = []
    for title, rows in _tables(results):
        lines = [rows[0], ["---:"] * len(rows[0]), *rows[1:]]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        parts.append(f"\n{title}\n\n{table}\n")
    return "".join(parts)


def _tables(results: Sequence[Result]) -> Iterator[tuple[str, list[list[str]]]]:
    by_device: dict[str, dict[str, LatencyCurve]] = {}
    for result in results:
        if curve := result.sustained:
            by_device.setdefault(result.device, {})[result.model] = curve
    for device, curves in by_device.items():
        yield f"Median latency under load on {device}", _rows(curves)


def _rows(curves: dict[str, LatencyCurve]) -> list[list[str]]:
    """Return a header and a row for each tenth of the time: all models took as many turns."""
    leading = next(iter(curves.values()))
    states = [
        name for name in _STATES if any(s.state.get(name) is not None for s in leading.windows)
    ]
    header = ["minute", *(f"{model} {MILLISECONDS.symbol}" for model in curves)]
    rows = [[*header, *(_STATES[name] for name in states)]]
    for index, window in enumerate(leading.windows):
        medians = (curve.windows[index].median_ns for curve in curves.values())
        seen = (window.state.get(name) for name in states)
        rows.append(
            [
                f"{window.seconds / 60:.1f}",
                *(MILLISECONDS.number(round(median)) for median in medians),
                *(
                    "-" if v is None else f"{v:.0f}" if isinstance(v, float) else str(v)
                    for v in seen
                ),
            ]
        )
    return rows
