"""TOML files, with the line that each key stands on: what an error names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affnet.errors import AffnetError, first_line
from affnet.reading import parse_toml, read_text

_NAME = r"(?:\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)"
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")

#: The way to a value: names of tables and keys, and places in arrays.
Location = tuple[str | int, ...]


@dataclass(frozen=True)
class TomlFile:
    """A TOML file's text and content."""

    path: Path
    text: str
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path, error: type[AffnetError], missing: str) -> TomlFile:
        """Read a file.

        Raises:
            AffnetError: of the class ``error``: it does not exist, and ``missing`` is what to do
                about it, or it cannot be read or is no TOML.
        """
        try:
            text = read_text(path)
            return cls(path, text, parse_toml(text))
        except FileNotFoundError:
            raise error(f"{path} does not exist", f"{missing}.") from None
        except OSError as problem:
            raise error(f"{path} cannot be read: {problem.strerror}.") from problem
        except ValueError as problem:
            raise error(f"{path} is not TOML: {first_line(problem)}.") from problem

    def line_of(self, location: Sequence[str | int]) -> int:
        """Return the line that sets or heads ``location``, else the nearest table around it."""
        wanted, best, line = tuple(location), 0, 1
        for number, found in _lines(self.text):
            common = min(len(found), len(wanted))
            if common > best and found[:common] == wanted[:common]:
                best, line = common, number
        return line


def _lines(text: str) -> Iterator[tuple[int, Location]]:
    """Yield the number and the location of each line that sets a key or heads a table."""
    table: Location = ()
    entries: dict[Location, int] = {}  # of each array of tables, those begun so far
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _within(entries, _parts(header[2]))
            if header[1] == "[[":
                entries[table] = entries.get(table, 0) + 1
                table = (*table, entries[table] - 1)
            yield number, table
        elif key := _KEY.match(line):
            yield number, (*table, *_parts(key[1]))


def _within(entries: dict[Location, int], names: Sequence[str]) -> Location:
    """Return the location that a header names, in the last entry of each array it goes through."""
    location: Location = ()
    for name in names:
        if location in entries:
            location = (*location, entries[location] - 1)
        location = (*location, name)
    return location


def _parts(dotted: str) -> list[str]:
    return [name.strip("\"'") for name in re.findall(_NAME, dotted)]
