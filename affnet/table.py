"""A table of texts, for the terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from affnet.escaping import for_csv, for_markdown, for_terminal

if TYPE_CHECKING:
    from rich.table import Table as RichTable


class Heading(NamedTuple):
    """The head of a column."""

    name: str
    is_text: bool  # aligned to the left; numbers to the right


def texts(*names: str) -> list[Heading]:
    """Return the heads of columns that are aligned to the left."""
    return [Heading(name, True) for name in names]


def numbers(*names: str) -> list[Heading]:
    """Return the heads of columns that are aligned to the right."""
    return [Heading(name, False) for name in names]


@dataclass(frozen=True)
class Table:
    """Rows of cells under their heads, as data: each form escapes what would be markup in it."""

    header: Sequence[Heading]
    rows: Sequence[Sequence[str]]
    title: str = ""  # a line above it, which CSV has no place for

    def rich(self) -> RichTable:
        """Return the table as a terminal shows it, without its title."""
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=None, header_style="bold", pad_edge=False)
        for name, is_text in self.header:
            table.add_column(Text(for_terminal(name)), justify="left" if is_text else "right")
        for row in self.rows:
            table.add_row(*(Text(for_terminal(cell)) for cell in row))
        return table

    def markdown(self) -> str:
        """Return the table as Markdown, below its title if it has one."""
        ruler = ["---" if is_text else "---:" for _, is_text in self.header]
        lines = [self._escaped_names(for_markdown), ruler, *_escaped(self.rows, for_markdown)]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        return f"{for_markdown(self.title)}\n\n{table}" if self.title else table

    def csv(self) -> str:
        """Return the table as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self._escaped_names(for_csv))
        writer.writerows(_escaped(self.rows, for_csv))
        return text.getvalue()

    def _escaped_names(self, escape: Callable[[str], str]) -> list[str]:
        return [escape(name) for name, _ in self.header]


def _escaped(rows: Sequence[Sequence[str]], escape: Callable[[str], str]) -> Iterable[list[str]]:
    return ([escape(cell) for cell in row] for row in rows)
