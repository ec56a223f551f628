"""The curve of latencies under minutes of load, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from affnet.bench.results.result import Result
from affnet.bench.statistics.throttling import LatencyCurve
from affnet.table import Table, numbers
from affnet.units import MILLISECONDS

_STATES = {"temperature_celsius": "°C", "frequency_mhz": "MHz", "thermal_status": "thermal status"}


def tables(results: Sequence[Result]) -> Iterator[Table]:
    """Yield a table for each device that was under load."""
    by_device: dict[str, dict[str, LatencyCurve]] = {}
    for result in results:
        if curve := result.sustained:
            by_device.setdefault(result.device, {})[result.model] = curve
    for device, curves in by_device.items():
        yield _table(curves, f"Median latency under load on {device}")


def _table(curves: dict[str, LatencyCurve], title: str) -> Table:
    """Return a row for each tenth of the time: all models took as many turns."""
    leading = next(iter(curves.values()))
    states = [
        name for name in _STATES if any(s.state.get(name) is not None for s in leading.windows)
    ]
    header = ["minute", *(f"{model} {MILLISECONDS.symbol}" for model in curves)]
    header += [_STATES[name] for name in states]
    rows = []
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
    return Table(numbers(*header), rows, title)
