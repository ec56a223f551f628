"""What the command line shows: progress and notes on stderr, results on stdout."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from affnet.silence import stdout_to_stderr

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = 1
#: Whether errors show their traceback (``--debug``).
debug = False
_stdout: TextIO | None = None  # the real one, while `stdout_reserved` is at work


@contextmanager
def progress(
    quiet: bool, *, animated: bool = True, lines: Sequence[str] = ()
) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the step now under way.

    On a terminal the step stands in one line with a clock; elsewhere each step is a line of its
    own.  ``animated`` off redraws only when the step changes: an animation costs processor time
    that a latency measurement would feel.  With several ``lines``, a step that begins with the
    name of one and a colon stands in that line; the others stand above.
    """
    if quiet:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        yield lambda step: print(step, file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        auto_refresh=animated,
        refresh_per_second=4,
        transient=True,
    ) as bar:
        task = bar.add_task("")
        tasks = {name: bar.add_task(name) for name in lines} if len(lines) > 1 else {}

        def show(step: str) -> None:
            bar.update(tasks.get(step.partition(": ")[0], task), description=step)
            bar.refresh()

        yield show


def note(text: str, quiet: bool = False) -> None:
    """Print a note about the run on stderr."""
    if not quiet:
        print(f"Note: {text}", file=sys.stderr)


@contextmanager
def stdout_reserved() -> Iterator[None]:
    """Keep stdout for `print_json`: what libraries and the user's own code print goes to stderr."""
    global _stdout
    if _stdout is not None:  # --json was given twice: to a command and to one below it
        yield
        return
    with stdout_to_stderr() as _stdout:
        try:
            yield
        finally:
            _stdout = None


def print_json(content: Mapping[str, Any]) -> None:
    """Print one machine-readable object on stdout."""
    text = json.dumps(_without_infinities({"schema": SCHEMA, **content}), indent=2)
    print(text, file=_stdout or sys.stdout)


def _without_infinities(value: Any) -> Any:
    """Replace what JSON has no number for, infinity and NaN, by null."""
    if isinstance(value, Mapping):
        return {key: _without_infinities(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values in two aligned columns on stdout."""
    width = max(map(len, fields))
    for name, value in fields.items():
        print(f"{name:<{width}}  {value}")


def print_table(table: Table) -> None:
    """Print a table on stdout, as wide as it needs where stdout is no terminal.

    Its cells are data, in which brackets mean nothing.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else 250
    Console(width=width, highlight=False, markup=False).print(table)
