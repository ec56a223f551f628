"""Where results go: the terminal, machine-readable output, and files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from affnet import console
from affnet.bench import tables
from affnet.bench.result import Result
from affnet.errors import UnknownNameError, UsageError
from affnet.files import write_whole

SUFFIXES = (".json", ".md", ".csv")


def choose(*, json: bool, markdown: bool, csv: bool) -> str:
    """Return the one form that was asked for, ``terminal`` if none was.

    Raises:
        UsageError: more than one.
    """
    asked = [
        name for name, given in (("json", json), ("markdown", markdown), ("csv", csv)) if given
    ]
    if len(asked) > 1:
        raise UsageError(f"--{' and --'.join(asked)} exclude each other; use --output for a file.")
    return asked[0] if asked else "terminal"


def check_target(path: Path) -> None:
    """Raise `UsageError` unless results can be written to ``path``: before minutes of measuring."""
    if path.suffix not in SUFFIXES:
        raise UnknownNameError("suffix of --output", path.suffix, SUFFIXES)
    if path.is_dir():
        raise UsageError(f"--output {path} is a folder; name a file.")
    if not path.parent.is_dir():
        raise UsageError(f"The folder of --output {path} does not exist; make it first.")


def show(results: Sequence[Result], form: str) -> None:
    """Print results on stdout in one of the forms of `choose`."""
    if form == "json":
        console.print_json(record(results))
    elif form == "markdown":
        print(tables.to_markdown(results), end="")
    elif form == "csv":
        print(tables.to_csv(results), end="")
    else:
        console.print_table(tables.to_rich(results))
        for note in tables.notes(results):
            print(note)


def write(results: Sequence[Result], path: Path) -> None:
    """Write results to a file, in the form that its suffix says."""
    if path.suffix == ".json":
        text = json.dumps({"schema": console.SCHEMA, **record(results)}) + "\n"
    elif path.suffix == ".md":
        text = tables.to_markdown(results)
    else:
        text = tables.to_csv(results)
    write_whole(path, text)


def record(results: Sequence[Result]) -> dict[str, object]:
    """Return the machine-readable form of a run."""
    return {"results": [result.to_json() for result in results]}
