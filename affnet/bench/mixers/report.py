"""The tables of ``affnet bench mixers``, and what they say in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from affnet.bench.mixers.grid import REFERENCE, Cell, Curve, Grid, Setting
from affnet.bench.mixers.growth import REFERENCE_TOKENS
from affnet.bench.reporting import latency_table
from affnet.bench.reporting.notes import device_note
from affnet.bench.statistics.intervals import Interval
from affnet.escaping import for_markdown
from affnet.table import Table, numbers, texts
from affnet.units import MEGABYTES, MILLIONS, MILLISECONDS, PERCENT

_SIDE = int(REFERENCE_TOKENS**0.5)
_COUNTS = ("memory MB", "MACs M", "params M", "file MB")
_CURVE = ("runtime", "channels", "mixer", "complexity", "sizes")
_ORDER = ("faster at", "slower at")


def tables(grid: Grid) -> list[Table]:
    """Return the tables of a run: latency, growth, formats."""
    found = [_latency(grid), _growth(grid), _formats(grid)]
    return [table for table in found if table.rows]


def _latency(grid: Grid) -> Table:
    header = [
        *texts("runtime", "maps", "mixer", ""),
        *numbers("median ms", f"x {REFERENCE} [95 %]", *_COUNTS),
    ]
    kinds = {mixer.name: _kind(grid, mixer.name) for mixer in grid.mixers}
    rows = [_latency_row(cell, kinds[cell.mixer]) for cell in grid.cells]
    return Table(header, rows, "Latency of one mixer with its residual connection:")


def _latency_row(cell: Cell, kind: str) -> tuple[str, ...]:
    start = (cell.setting.runtime, cell.setting.maps, cell.mixer, kind)
    result = cell.result
    if result is None:
        return (*start, *["-"] * 6)
    memory = result.peak_rss_bytes
    return (
        *start,
        _milliseconds(result.summary().median),
        latency_table.ratio_cell(result),
        "-" if memory is None else MEGABYTES.number(memory),
        MILLIONS.number(result.macs or 0),
        f"{(result.parameters or 0) / MILLIONS.size:.3f}",
        f"{result.file_bytes / MEGABYTES.size:.2f}",
    )


def _milliseconds(nanoseconds: float) -> str:
    """Return three significant digits or more: small maps take microseconds."""
    value = nanoseconds / MILLISECONDS.size
    return f"{value:.3f}" if value < 1 else MILLISECONDS.number(nanoseconds)


def _kind(grid: Grid, mixer: str) -> str:
    properties = next(one for one in grid.mixers if one.name == mixer)
    words = [
        "global" if properties.is_global else "local",
        "adaptive" if properties.adapts else "fixed",
    ]
    return ", ".join(words)


def _growth(grid: Grid) -> Table:
    fitted = f"ms at {_SIDE}x{_SIDE}, fitted"
    header = [
        *texts(*_CURVE),
        *numbers("exponent [95 %]", "of MACs", fitted, f"x {REFERENCE}", *_ORDER),
    ]
    curves = grid.curves()
    complexity = {mixer.name: mixer.complexity for mixer in grid.mixers}
    constants = {
        (c.runtime, c.channels): c.latency_ns.constant.value for c in curves if c.mixer == REFERENCE
    }
    rows = [
        (
            curve.runtime,
            str(curve.channels),
            curve.mixer,
            complexity[curve.mixer],
            f"{curve.sizes[0]} to {curve.sizes[-1]}",
            _interval(curve.latency_ns.exponent),
            f"{curve.macs.exponent.value:.2f}" if curve.macs else "-",
            _milliseconds(curve.latency_ns.constant.value),
            _times(curve, constants),
            *(_sizes(sizes, curve) for sizes in (curve.ahead, curve.behind)),
        )
        for curve in curves
    ]
    return Table(header, rows, "Growth with the number of tokens, latency ~ tokens^exponent:")


def _interval(interval: Interval) -> str:
    if interval.high == float("inf"):
        return f"{interval.value:.2f}"
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _times(curve: Curve, constants: dict[tuple[str, int], float]) -> str:
    own = constants.get((curve.runtime, curve.channels))
    return f"{curve.latency_ns.constant.value / own:.2f}" if own else "-"


def _sizes(sizes: Sequence[str], curve: Curve) -> str:
    if not sizes:
        return "-"
    return "all" if len(sizes) == len(curve.sizes) else ", ".join(sizes)


def _formats(grid: Grid) -> Table:
    """One row for each mixer: its largest error in each format, or that the format fails."""
    names = list(dict.fromkeys(entry.format for entry in grid.support))
    rows = []
    for mixer in grid.mixers:
        cells = []
        for name in names:
            found = [h for h in grid.support if (h.mixer, h.format) == (mixer.name, name)]
            failed = any(entry.reason for entry in found)
            errors = [entry.error for entry in found if entry.error is not None]
            cells.append("no, see below" if failed else f"{max(errors):.0e}" if errors else "-")
        rows.append((mixer.name, *cells, mixer.source))
    return Table(
        texts("mixer", *names, "source"),
        rows,
        "Formats that hold it, with the largest error against PyTorch:",
    )


def notes(grid: Grid) -> list[str]:
    """Return what the tables say, and what a reader must know, a sentence each."""
    lines = [_verdict(grid, setting) for setting in _settings(grid)]
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for entry in grid.support:
        if entry.reason:
            key = (
                entry.mixer,
                entry.format,
                _stop(entry.reason),
            )
            reasons.setdefault(key, []).append(entry.maps)
    lines += [
        f"No {format_} file of {mixer} ({', '.join(maps)}): {reason}"
        for (mixer, format_, reason), maps in reasons.items()
    ]
    refused = {(entry.mixer, entry.maps) for entry in grid.support if entry.reason}
    lines += [
        f"Not measured: {cell.mixer} on {cell.setting.maps}, {cell.setting.runtime}: "
        f"{_stop(cell.reason or '')}"
        for cell in grid.cells
        if cell.reason and (cell.mixer, cell.setting.maps) not in refused
    ]
    return [line for line in lines if line] + _measurement_notes(grid)


def _measurement_notes(grid: Grid) -> list[str]:
    """Say how the results came about, and how many of them may not be trusted."""
    if not grid.results:
        return []
    lines = [device_note(grid.results)]
    doubted = [result for result in grid.results if not result.valid]
    if doubted:
        lines.append(
            f"Not valid for publication: {len(doubted)} of {len(grid.results)} results, such as "
            f"{doubted[0].model}: {'; '.join(doubted[0].validity_reasons)}. The reasons of each "
            "are in --json."
        )
    return lines


def _stop(sentence: str) -> str:
    return sentence if sentence.endswith(".") else f"{sentence}."


def _settings(grid: Grid) -> list[Setting]:
    return list(dict.fromkeys(cell.setting for cell in grid.cells))


def _verdict(grid: Grid, setting: Setting) -> str:
    """Say whether AFF is the fastest of those that do what it does, in one setting."""
    rivals = {mixer.name for mixer in grid.mixers if mixer.is_rival}
    cells = [c for c in grid.cells if c.setting == setting and c.mixer in rivals and c.result]
    ratios = {c.mixer: c.result.ratio_to_peer for c in cells if c.result}
    known = {mixer: ratio for mixer, ratio in ratios.items() if ratio}
    if not known:
        return ""
    where = f"{setting.maps}, {setting.runtime}"
    faster = sorted((r.value, m) for m, r in known.items() if r.high < 1)
    level = [m for m, r in known.items() if r.low <= 1 <= r.high]
    slower = [m for m, r in known.items() if r.low > 1]
    parts = [
        f"{mixer} is faster than {REFERENCE} by {PERCENT.text(1 - value)}"
        for value, mixer in faster
    ]
    if level:
        parts.append(f"{', '.join(level)} cannot be distinguished from {REFERENCE}")
    if slower:
        all_ = "" if parts else "every global, adaptive mixer here: "
        parts.append(f"{REFERENCE} is faster than {all_}{', '.join(slower)}")
    return f"{where}: {'; '.join(parts)}."


def to_markdown(grid: Grid) -> str:
    """Return all tables and the notes as Markdown."""
    below = "".join(f"- {for_markdown(note)}\n" for note in notes(grid))
    return "\n".join([*(table.markdown() for table in tables(grid)), below])


def to_csv(grid: Grid) -> str:
    """Return the table of latencies as CSV, without notes."""
    table = _latency(grid)
    header = [name._replace(name=name.name or "kind") for name in table.header]
    return dataclasses.replace(table, header=header).csv()
