"""What a comparison says: a table for each group, or one row a result."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from affnet import console
from affnet.bench.reporting import latency_table, output
from affnet.bench.reporting.latency_table import Column
from affnet.bench.reporting.notes import table_notes
from affnet.bench.results import jsonl
from affnet.bench.results.comparability import MeasurementConditions
from affnet.bench.results.ratios import median_interval
from affnet.bench.results.result import Result
from affnet.bench.store.comparison import Comparison, Group
from affnet.escaping import for_markdown
from affnet.files import write_whole
from affnet.units import MILLISECONDS

_WHEN = (
    Column("date", lambda r: r.recorded_at[:16].replace("T", " ") or "-", text=True),
    Column("commit", lambda r: r.git_commit[:9] or "-", text=True),
)
#: What a group's heading says, for forms that have no headings.
_WHERE = tuple(
    Column(field.name.replace("_", " "), lambda r, n=field.name: _trait(r, n), text=True)  # type: ignore[misc]
    for field in dataclasses.fields(MeasurementConditions)
)


def show(comparison: Comparison, form: str, *, history: bool) -> None:
    """Print a comparison on stdout in one of the forms of `output.choose`."""
    if form == "json":
        console.print_json(record(comparison, history=history))
    elif form != "terminal":
        console.print_text(_text(comparison, form, history))
    else:
        for number, group in enumerate(comparison.groups):
            if number:
                console.print_line()
            console.print_line(group.conditions.title())
            console.print_table(
                latency_table.table(group.results, columns(comparison, group, history))
            )
            for note in notes(group, history):
                console.print_line(note)
        for note in comparison.notes:
            console.print_line(note)


def write(comparison: Comparison, path: Path, *, history: bool) -> None:
    """Write a comparison to a file; .json and .jsonl hold the results themselves."""
    if path.suffix in (".json", jsonl.SUFFIX):
        output.write(comparison.results, path)
    else:
        form = {".md": "markdown", ".csv": "csv"}[path.suffix]
        write_whole(path, _text(comparison, form, history))


def record(comparison: Comparison, *, history: bool) -> dict[str, object]:
    """Return the machine-readable form: groups, and results that name theirs by its index."""
    results: list[dict[str, object]] = []
    for index, group in enumerate(comparison.groups):
        for result in group.results:
            content = result.to_json()
            if history:  # samples are in the store
                content = {name: content[name] for name in _OF_HISTORY}
            interval = median_interval(result)
            results.append(
                {
                    **content,
                    "median_interval": [interval.low, interval.high],
                    "values": group.conditions.values,
                    "group": index,
                }
            )
    return {
        "against": comparison.peer,
        "groups": [dataclasses.asdict(group.conditions) for group in comparison.groups],
        "results": results,
        "notes": list(comparison.notes),
    }


_OF_HISTORY = (
    "model", "runtime", "precision", "git_commit", "recorded_at", "session", "median_ns",
    "ratio_to_peer", "ratio_interval", "valid", "validity_reasons",
)  # fmt: skip


def columns(comparison: Comparison, group: Group, history: bool) -> list[Column]:
    """Return the columns of a group's table."""
    if not history:
        return [*_WHEN, *latency_table.columns(group.results)]
    chosen = [
        *_WHEN,
        Column("runtime", lambda r: r.runtime, text=True),
        Column("precision", lambda r: r.precision, text=True),
        Column(f"median {MILLISECONDS.symbol} [95 %]", _median_cell),
    ]
    if comparison.peer:
        chosen.append(Column(f"x {comparison.peer} [95 %]", latency_table.ratio_cell))
    return [*chosen, Column("valid", lambda r: "yes" if r.valid else "no", text=True)]


def _text(comparison: Comparison, form: str, history: bool) -> str:
    everything = Group(comparison.groups[0].conditions, tuple(comparison.results))
    if form == "csv":
        known = {column.header for column in _WHERE}
        rest = [c for c in columns(comparison, everything, history) if c.header not in known]
        return latency_table.table(everything.results, [*_WHERE, *rest]).csv()
    parts = [
        f"### {for_markdown(group.conditions.title())}\n\n"
        + latency_table.to_markdown(
            group.results, columns(comparison, group, history), notes(group, history)
        )
        for group in comparison.groups
    ]
    if comparison.notes:
        parts.append("".join(f"- {for_markdown(note)}\n" for note in comparison.notes))
    return "\n".join(parts)


def notes(group: Group, history: bool) -> Sequence[str]:
    """Return what a reader must know to trust a group's table, a sentence each."""
    if not history:
        return table_notes(group.results)
    doubts = sorted({why for result in group.results for why in result.validity_reasons})
    return [f"Not valid for publication where it says so: {'; '.join(doubts)}."] if doubts else []


def _median_cell(result: Result) -> str:
    interval = median_interval(result)
    median = MILLISECONDS.number(interval.value)
    if not math.isfinite(interval.low):
        return median
    ends = (MILLISECONDS.number(interval.low), MILLISECONDS.number(interval.high))
    return f"{median} [{ends[0]}, {ends[1]}]"


def _trait(result: Result, name: str) -> str:
    value = getattr(MeasurementConditions.of(result), name)
    return "-" if value is None else str(value)
