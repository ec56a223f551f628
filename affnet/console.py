"""What the command line shows: progress and notes on stderr, results on stdout.

What is shown is data: names in it are escaped, and stdout that takes no more is one sentence.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from affnet.errors import OutputError
from affnet.escaping import for_terminal
from affnet.silence import stdout_to_stderr
from affnet.table import Table

SCHEMA = 1
#: Whether errors show their traceback (``--debug``).
debug = False
_UNLIMITED = 100_000  # characters in a line, where stdout is no terminal
_READER_LEFT = 141  # what a shell makes of a process that ends by SIGPIPE, as others do
_INTERVAL_S = 5.0  # between lines of one kind of step, where they stay
_REPETITION_S = 60.0  # between lines that are the same, such as those of waiting
_NUMBERS = re.compile(r"(?<![\w.])\d[\d.]*(?![\w.]*\w)")  # words of their own, not parts of names
_stdout: TextIO | None = None  # the real one, while `stdout_reserved` is at work


@contextmanager
def progress(
    quiet: bool, *, animated: bool = True, lines: Sequence[str] = ()
) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the step now under way.

    On a terminal the step stands in one line with a clock; elsewhere each step is a line of its
    own, but steps that differ by their numbers alone have one every 5 s, and one that is repeated
    every 60 s.  ``animated`` off redraws only when the step changes: an animation costs processor
    time that a latency measurement would feel.  With several ``lines``, a step that begins with the
    name of one and a colon stands in that line; the others stand above.
    """
    if quiet:
        yield lambda _: None
        return
    if not _is_terminal(sys.stderr):
        yield _sparingly(_tell)
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
        several = lines if len(lines) > 1 else ()
        tasks = {name: bar.add_task(for_terminal(name)) for name in several}

        def show(step: str) -> None:
            task_id = tasks.get(step.partition(": ")[0], task)
            bar.update(task_id, description=for_terminal(step))
            bar.refresh()

        yield show


def _sparingly(show: Callable[[str], None]) -> Callable[[str], None]:
    """Pass on the first step of each kind at once, and others of it every few seconds."""
    shown: dict[str, tuple[str, float]] = {}  # by kind

    def show_some(step: str) -> None:
        kind, now = _NUMBERS.sub("", step), time.monotonic()
        last, since = shown.get(kind, ("", -math.inf))
        if now - since >= (_REPETITION_S if step == last else _INTERVAL_S):
            shown[kind] = step, now
            show(step)

    return show_some


def note(text: str, quiet: bool = False) -> None:
    """Print a note about the run on stderr."""
    if not quiet:
        _tell(f"Note: {text}")


def error(text: object) -> None:
    """Print an error that ends the run, or a part of it, on stderr."""
    _tell(f"Error: {text}")


def _tell(text: str) -> None:
    """Print a line on stderr; one that takes no more costs nothing but the line."""
    if sys.stderr is None:  # for which `print` would take stdout
        return
    try:
        print(for_terminal(text), file=sys.stderr, flush=True)
    except OSError:
        _divert(sys.stderr)


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
    """Print one machine-readable object on stdout.

    Raises:
        OutputError: stdout takes no more, as of all functions that print there.
    """
    text = json.dumps(_without_infinities({"schema": SCHEMA, **content}), indent=2)
    _write(f"{text}\n", _stdout or sys.stdout)


def _without_infinities(value: Any) -> Any:
    """Replace what JSON has no number for, infinity and NaN, by null."""
    if isinstance(value, Mapping):
        return {key: _without_infinities(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_line(text: str = "") -> None:
    """Print a line on stdout."""
    print_text(text.replace("\n", " "))


def print_text(text: str) -> None:
    """Print lines that are wanted as such, such as a table in Markdown, on stdout."""
    lines = text.removesuffix("\n").split("\n")
    _write("".join(f"{for_terminal(line)}\n" for line in lines), sys.stdout)


def print_commands(lines: Iterable[str], *, to_stderr: bool) -> None:
    """Print what GitHub is to read, one command a line, on stdout or stderr."""
    _write("".join(f"{line}\n" for line in lines), sys.stderr if to_stderr else sys.stdout)


def print_fields(fields: Mapping[str, object] | Sequence[tuple[str, object]]) -> None:
    """Print names, several of which may be alike, and values in two aligned columns on stdout."""
    pairs = list(fields.items()) if isinstance(fields, Mapping) else fields
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        print_line(f"{name:<{width}}  {value}")


def print_table(table: Table) -> None:
    """Print a table on stdout, below its title, as wide as it needs where that is no terminal."""
    from rich.console import Console

    if table.title:
        print_line(table.title)
    width = None if _is_terminal(sys.stdout) else _UNLIMITED
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(table.rich())
    _write(captured.get(), sys.stdout)


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Turn an error of stdout into one sentence, whoever prints there, and let it end the run.

    Characters that its encoding lacks are printed by their numbers.

    Raises:
        OutputError: it takes no more.
        SystemExit: nobody reads it any more, as after ``| head``.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        _write("", sys.stdout)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is None:  # the process runs without it
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _divert(stream)
        raise SystemExit(_READER_LEFT) from None
    except OSError as failure:
        _divert(stream)
        reason = failure.strerror or str(failure)
        raise OutputError(f"Writing to stdout failed: {reason}", "send it elsewhere.") from failure


def _divert(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, lest it fail again when the process ends."""
    with contextlib.suppress(OSError):  # a test's double has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
        stream.flush()


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
