"""The comparison table, and what must be known to trust it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from affnet.bench.reporting.notes import DOUBTED, data_sets, table_notes
from affnet.bench.results.result import QUOTED, Result, quoted_metrics
from affnet.bench.statistics.intervals import Interval
from affnet.escaping import for_markdown
from affnet.placement import CPU
from affnet.table import Heading, Table
from affnet.units import MEGABYTES, MILLIONS, MILLISECONDS, Unit


@dataclass(frozen=True)
class Column:
    """One column: its header and the cell of a result; units stand in the header."""

    header: str
    cell: Callable[[Result], str]
    text: bool = False  # aligned to the left


def _quantity(name: str, unit: Unit, value: Callable[[Result], float | None]) -> Column:
    def cell(result: Result) -> str:
        number = value(result)
        return "-" if number is None else unit.number(number)

    return Column(f"{name} {unit.symbol}", cell)


def columns(results: Sequence[Result]) -> list[Column]:
    """Return the columns that these results fill."""
    chosen = [Column("device", lambda r: r.device, text=True)] if _names_devices(results) else []
    chosen += [
        Column("model", lambda r: r.model, text=True),
        Column("runtime", lambda r: r.runtime, text=True),
        *_distinguishing(results),
        *_placed(results),
        _quantity("median", MILLISECONDS, lambda r: r.summary().median),
        _quantity("p90", MILLISECONDS, lambda r: r.summary().p90),
        _quantity("p99", MILLISECONDS, lambda r: r.summary().p99),
    ]
    peers = list(dict.fromkeys(r.peer for r in results if r.peer))
    if len(peers) == 1:
        chosen.append(Column(f"x {peers[0]} [95 %]", ratio_cell))
    every = list(dict.fromkeys(name for r in results for name in r.ratios))
    if every:
        chosen += [_ratio_column(name) for name in every if peers != [name]]
    elif len(peers) > 1:
        chosen.append(Column("peer", lambda r: r.peer or "-", text=True))
        chosen.append(Column("x peer [95 %]", ratio_cell))
    chosen += [
        *_energy(results),
        _quantity("load", MILLISECONDS, lambda r: r.load_ns),
        _quantity("first", MILLISECONDS, lambda r: r.first_inference_ns),
        _quantity("memory", MEGABYTES, lambda r: r.peak_rss_bytes),
        _quantity("file", MEGABYTES, lambda r: r.file_bytes),
        _quantity("params", MILLIONS, lambda r: r.parameters),
        _quantity("MACs", MILLIONS, lambda r: r.macs),
    ]
    chosen += [_accuracy_column(*key) for key in data_sets(results)]
    quoted = {field for r in results for field in quoted_metrics(r.published)}
    return chosen + [
        _quoted_column(field, name) for field, name in QUOTED.items() if field in quoted
    ]


def _distinguishing(results: Sequence[Result]) -> list[Column]:
    """Return the columns of what makes rows differ though they may be named alike."""
    possible = (
        Column("precision", lambda r: r.precision, text=True),
        Column("input", lambda r: ", ".join(r.workload.inputs) if r.workload else "-", text=True),
        Column("layout", lambda r: (r.workload and r.workload.layout) or "-", text=True),
        Column("protocol", lambda r: r.protocol, text=True),
    )
    return [column for column in possible if len(set(map(column.cell, results))) > 1]


def _placed(results: Sequence[Result]) -> list[Column]:
    """Return the column of where operators run, unless none was asked to run off the CPU."""
    found = [r.placement for r in results]
    if all(placement is None or placement.asked == (CPU,) for placement in found):
        return []
    return [Column("placed", lambda r: p.text() if (p := r.placement) else "unknown", text=True)]


def _energy(results: Sequence[Result]) -> list[Column]:
    """Return the column of the energy of an inference, where it was counted."""
    if all(result.energy is None for result in results):
        return []
    return [Column("mJ [95 %]", _energy_cell)]


def _energy_cell(result: Result) -> str:
    if (found := result.energy_mj) is None:
        return "-"
    estimated = ", estimated" * bool(result.energy and result.energy.estimated)
    return f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g}{estimated})"


def _accuracy_column(dataset: str, fingerprint: str) -> Column:
    """Return the column of one data set: of another one of that name there is another column."""

    def cell(result: Result) -> str:
        for measured in result.accuracy:
            if (measured.dataset, measured.fingerprint) == (dataset, fingerprint):
                return f"{100 * measured.top1:.1f}"
        return "-"

    return Column(f"top-1 % (measured on {dataset})", cell)


def _names_devices(results: Sequence[Result]) -> bool:
    """Whether rows name their device: there are several, or one that does not measure."""
    return len({r.device for r in results}) > 1 or any(r.is_computed for r in results)


def _ratio_column(peer: str) -> Column:
    def cell(result: Result) -> str:
        if result.model == peer:
            return "1"
        return _interval_text(found) if (found := result.ratios.get(peer)) else "-"

    return Column(f"x {peer} [95 %]", cell)


def ratio_cell(result: Result) -> str:
    """Return the ratio to the peer with its interval."""
    if (ratio := result.ratio_to_peer) is None:
        return "-"
    if result.peer == result.model:
        return "1"
    doubted = f" {DOUBTED}" if result.ratio_doubts else ""
    return f"{_interval_text(ratio)}{doubted}"


def _interval_text(ratio: Interval) -> str:
    return f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def _quoted_column(field: str, name: str) -> Column:
    def cell(result: Result) -> str:
        percent = quoted_metrics(result.published).get(field)
        return "-" if percent is None else f"{percent:.1f}"

    return Column(f"{name} % (quoted)", cell)


def table(results: Sequence[Result], chosen: Sequence[Column] | None = None) -> Table:
    """Return one row for each result, of other columns than its own if they are given."""
    chosen = columns(results) if chosen is None else chosen
    return Table(
        [Heading(column.header, column.text) for column in chosen],
        [[column.cell(result) for column in chosen] for result in results],
    )


def to_markdown(
    results: Sequence[Result],
    chosen: Sequence[Column] | None = None,
    footnotes: Sequence[str] | None = None,
) -> str:
    """Return the table and its notes as Markdown."""
    below = table_notes(results) if footnotes is None else footnotes
    notes = [f"- {for_markdown(note)}" for note in below]
    return "\n".join([table(results, chosen).markdown(), *notes]) + "\n"
