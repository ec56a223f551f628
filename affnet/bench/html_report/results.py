"""The report's tables: those of ``affnet compare``, what is not valid, and what is quoted."""

from __future__ import annotations

import dataclasses
from typing import Any

from affnet.bench.html_report.accuracies import is_number
from affnet.bench.html_report.data import DOUBTFUL, Entry, ReportData
from affnet.bench.html_report.section import Listing, Section
from affnet.bench.reporting import comparison, latency_table
from affnet.bench.reporting.latency_table import Column
from affnet.bench.results.result import QUOTED
from affnet.table import Table, texts
from affnet.table import numbers as of_numbers


def results(data: ReportData) -> Section:
    """Return the tables that the terminal shows, with a mark at what is not valid."""
    listings = []
    for group, entries in data.groups:
        columns = comparison.columns(data.comparison, group, data.history)
        if columns[-1].header != "valid":
            columns.append(Column("valid", lambda r: "yes" if r.valid else "no", text=True))
        table = latency_table.table([entry.result for entry in entries], columns)
        listings.append(
            Listing(
                dataclasses.replace(table, title=group.conditions.title()),
                [entry.index for entry in entries],
                comparison.notes(group, data.history),
            )
        )
    return Section(
        "Results",
        "What may not be mixed stands in tables of its own: device and hardware, threads, protocol "
        "and what a sample is are the heading. A ratio is shown only where both were measured in "
        "the same session, in turns.",
        listings,
    )


def validity(data: ReportData) -> Section:
    """Return which results are not to be trusted, and why."""
    doubtful = [entry for entry in data.entries if not entry.result.valid]
    rows = [(_named(entry), "; ".join(entry.result.validity_reasons)) for entry in doubtful]
    table = Table(texts("result", "why it is not valid for publication"), rows)
    return Section(
        "Validity",
        f"{len(doubtful)} of {len(data.entries)} results are not valid for publication, by what "
        f"was seen of the machine before and during the measurement. They are marked {DOUBTFUL} "
        "and drawn hollow. Ratios of results that were measured in turns suffer less than times.",
        [Listing(table, [entry.index for entry in doubtful])] if rows else [],
        empty="Nothing speaks against any of these results.",
    )


def quoted(data: ReportData) -> Section | None:
    """Return the numbers that others published, with their sources."""
    published: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
    for entry in data.entries:
        if numbers := entry.result.published:
            published.setdefault((entry.result.model, str(numbers)), (entry.result.model, numbers))
    if not published:
        return None
    names = {
        **{field: f"{name} %" for field, name in QUOTED.items() if _tells(published, field)},
        "parameters_millions": "parameters M",
        "macs_billions": "MACs G",
    }
    rows = []
    for model, numbers in published.values():
        cells = [f"{numbers[key]:g}" if is_number(numbers.get(key)) else "-" for key in names]
        rows.append([model, *cells, str(numbers.get("source", "not named"))])
    header = [*texts("model"), *of_numbers(*names.values()), *texts("source")]
    return Section(
        "Quoted numbers",
        "These were published by others. Nothing of them was measured here.",
        [Listing(Table(header, rows))],
    )


def _tells(published: dict[tuple[str, str], tuple[str, dict[str, Any]]], field: str) -> bool:
    return any(numbers.get(field) is not None for _, numbers in published.values())


def _named(entry: Entry) -> str:
    parts = (entry.series, entry.facet("device"), entry.recorded, entry.result.git_commit[:7])
    return " \N{MIDDLE DOT} ".join(filter(None, parts))
