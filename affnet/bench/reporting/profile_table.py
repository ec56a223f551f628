"""The tables of a profile: the time of each type of operator and of each module, a model at a time.

They show shares, because a run that is watched is slower than one that is timed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from affnet.bench.measurement.profiling import by_module, by_operator, informative_depth
from affnet.bench.results.result import Result
from affnet.units import MILLISECONDS, PERCENT

_ROWS = 12  # of one table; what is smaller is one row at the end


@dataclass(frozen=True)
class ProfileTable:
    """One table: what its rows are, and their names with times in ns."""

    title: str
    kind: str
    rows: dict[str, int]

    def cells(self) -> Iterator[tuple[str, str, str]]:
        """Yield name, time and share of each row."""
        total = sum(self.rows.values()) or 1
        for name, time in self.rows.items():
            yield name, MILLISECONDS.number(time), PERCENT.number(time / total)

    @property
    def header(self) -> tuple[str, str, str]:
        """The columns' names."""
        return self.kind, MILLISECONDS.symbol, PERCENT.symbol


def profile_tables(results: Sequence[Result]) -> Iterator[ProfileTable]:
    """Yield the tables of each result that has a profile."""
    several = len({result.device for result in results}) > 1
    for result in results:
        if not result.operators:
            continue
        where = f" on {result.device}" if several else ""
        title = f"{result.model}{where}, watched by the profiler of {result.runtime}"
        yield ProfileTable(title, "operator", _largest(by_operator(result.operators)))
        if modules := by_module(result.operators, informative_depth(result.operators)):
            yield ProfileTable(title, "module", modules)


def to_rich(results: Sequence[Result]) -> Iterator[tuple[str, Table]]:
    """Yield the tables for a terminal, each with its title, which is longer than it is wide."""
    for found in profile_tables(results):
        table = Table(box=None, header_style="bold", pad_edge=False)
        for index, name in enumerate(found.header):
            table.add_column(name, justify="right" if index else "left")
        for row in found.cells():
            table.add_row(*row)
        yield f"{found.title}:", table


def to_markdown(results: Sequence[Result]) -> str:
    """Return the tables as Markdown, "" if there is no profile."""
    text = ""
    for found in profile_tables(results):
        lines = [f"\n{found.title}:\n", f"| {' | '.join(found.header)} |", "| --- | ---: | ---: |"]
        rows = (
            "| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in found.cells()
        )
        text += "\n".join([*lines, *rows]) + "\n"
    return text


def _largest(rows: dict[str, int]) -> dict[str, int]:
    """Keep the first rows, and sum up the others."""
    if len(rows) <= _ROWS:
        return rows
    names = list(rows)
    rest = sum(rows[name] for name in names[_ROWS - 1 :])
    kept = {name: rows[name] for name in names[: _ROWS - 1]}
    return {**kept, f"{len(rows) - len(kept)} others": rest}
