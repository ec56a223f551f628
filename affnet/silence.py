"""Keeping what libraries print away from the user, and from a program that reads stdout."""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, TextIO

_STREAMS = {1: "stdout", 2: "stderr"}


class Silenced:
    """What was printed while `silenced` was at work."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def lines(self) -> list[str]:
        """Return the lines with a word in them."""
        size = os.fstat(self._file.fileno()).st_size
        text = os.pread(self._file.fileno(), size, 0).decode(errors="replace")
        lines = (line.strip() for line in text.splitlines())
        return [line for line in lines if any(map(str.isalpha, line))]

    def last_line(self) -> str:
        """Return the last line with a word in it, "" if there is none."""
        return next(reversed(self.lines()), "")


@contextmanager
def silenced(*, stdout: bool = True) -> Iterator[Silenced]:
    """Swallow warnings and all that this thread prints, loggers and C libraries included.

    ``stdout`` off leaves that stream as it is, for where code of the user's own runs.

    C libraries write to file descriptors, so these are what is redirected, for the whole process;
    only Python code of other threads, such as a progress bar's, still reaches the real streams.
    Streams, descriptors and the root logger, which libraries configure when they are imported, are
    restored whatever happens.
    """
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_root_logger_kept())
        file = stack.enter_context(tempfile.TemporaryFile())
        for descriptor, name in _STREAMS.items() if stdout else [(2, "stderr")]:
            stack.enter_context(_redirected(descriptor, name, file))
        yield Silenced(file)


@contextmanager
def stdout_to_stderr() -> Iterator[TextIO]:
    """Send what anyone prints, C libraries included, to stderr; yield a stream of the real stdout.

    Streams and descriptors are restored whatever happens.
    """
    original = sys.stdout
    try:
        saved = os.dup(1)
    except OSError:  # the process runs without this stream
        yield original
        return
    original.flush()
    with os.fdopen(saved, "w", encoding="utf-8", errors="replace") as real:
        with suppress(OSError):  # the process runs without stderr
            os.dup2(2, 1)
        with open(1, "w", closefd=False, buffering=1, encoding="utf-8", errors="replace") as other:
            sys.stdout = other
            try:
                yield real
            finally:
                sys.stdout = original
                other.flush()
                os.dup2(saved, 1)


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    handlers, level = list(logging.root.handlers), logging.root.level
    try:
        yield
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)


@contextmanager
def _redirected(descriptor: int, name: str, file: IO[bytes]) -> Iterator[None]:
    original: TextIO | None = getattr(sys, name)
    try:
        saved = os.dup(descriptor)
    except OSError:  # the process runs without this stream
        yield
        return
    if original is not None:
        original.flush()
    with (
        os.fdopen(saved, "w", buffering=1, encoding="utf-8", errors="replace") as real,
        open(file.fileno(), "w", closefd=False, encoding="utf-8", errors="replace") as hidden,
    ):
        os.dup2(file.fileno(), descriptor)
        stream = _OneThreadHidden(hidden, real)
        setattr(sys, name, stream)
        try:
            yield
        finally:
            setattr(sys, name, original)
            if original is not None:
                original.flush()
            stream.restore(original)
            os.dup2(saved, descriptor)


class _OneThreadHidden(io.TextIOBase):
    """A stream that hides what the thread writes that made it."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, hidden: TextIO, real: TextIO) -> None:
        self._hidden: TextIO | None = hidden
        self._real: TextIO | None = real
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        stream = self._stream()
        return len(text) if stream is None else stream.write(text)

    def flush(self) -> None:
        stream = self._stream()
        if stream is not None:
            stream.flush()

    def fileno(self) -> int:
        stream = self._stream()
        return super().fileno() if stream is None else stream.fileno()

    def isatty(self) -> bool:
        stream = self._stream()
        return stream is not None and stream.isatty()

    def restore(self, original: TextIO | None) -> None:
        """Write to ``original`` from now on: handlers made meanwhile keep this stream."""
        if self._hidden is not None:
            self._hidden.flush()
        self._hidden = self._real = original

    def _stream(self) -> TextIO | None:
        return self._hidden if threading.get_ident() == self._thread else self._real
