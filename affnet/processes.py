"""Running modules of this package in processes of their own, and reading what processes write."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

#: Bytes that a process may write to its end, or into one line: a profile has a hundredth.
LARGEST_OUTPUT = 16_000_000
_BLOCK = 1 << 16
_TAIL_BYTES = 4000
_SETTLING_S = 2.0  # for what a process that has ended left in its pipe


class TooMuchOutputError(Exception):
    """A process writes more than any answer has; who talks to it says so, and ends it."""

    def __init__(self, largest: int) -> None:
        super().__init__(f"over {largest / 1e6:.0f} MB")


class NoAnswerError(Exception):
    """A module's process ended without an answer; the text is the last that it said."""


def python_command() -> list[str]:
    """Return the command of this interpreter."""
    # -P keeps a file called like one of our packages in the working directory from being imported
    return [sys.executable, "-P"]


def module_command(module: str) -> list[str]:
    """Return the command that runs ``module`` with this interpreter."""
    return [*python_command(), "-m", module]


def module_environment() -> dict[str, str]:
    """Return the environment in which that command finds this very package, installed or not."""
    package_root = str(Path(__file__).parents[1])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def collect(
    process: subprocess.Popen[Any], timeout_s: float | None, largest: int | None = None
) -> tuple[str, str]:
    """Return what a process writes to its pipes until it ends; who started it also ends it.

    Raises:
        TimeoutError: it did not end in time.
        TooMuchOutputError: it wrote more than ``largest`` bytes, of either kind.
    """
    largest = LARGEST_OUTPUT if largest is None else largest
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    found = {pipe.fileno(): bytearray() for pipe in (process.stdout, process.stderr) if pipe}
    with selectors.DefaultSelector() as selector:
        for pipe in found:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in _ready(selector, deadline):
                block = os.read(key.fd, _BLOCK)
                found[key.fd] += block
                if not block:
                    selector.unregister(key.fd)
                if len(found[key.fd]) > largest:
                    raise TooMuchOutputError(largest)
    with translating_timeouts():
        process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
    out, err = (
        bytes(found[pipe.fileno()]).decode(errors="replace") if pipe else ""
        for pipe in (process.stdout, process.stderr)
    )
    return out, err


def ask_module(
    module: str, request: str, started: Callable[[subprocess.Popen[str]], object]
) -> str:
    """Run a module of this package in a process, with a request on its stdin; return its stdout.

    ``started`` is given the process, so that it can be ended from elsewhere.

    Raises:
        NoAnswerError: it crashed, was ended or wrote too much.
    """
    process = subprocess.Popen(
        module_command(module),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=module_environment(),
        text=True,
    )
    with process:
        started(process)
        assert process.stdin is not None  # a pipe was asked for
        with contextlib.suppress(BrokenPipeError):  # it ended: its exit code says how
            process.stdin.write(request)
            process.stdin.close()
        try:
            out, err = collect(process, None)
        except TooMuchOutputError as error:
            process.kill()
            out, err = "", f"it wrote {error}"
    if process.returncode == 0:
        return out
    raise NoAnswerError([f"it ended with code {process.returncode}", *err.strip().splitlines()][-1])


def run_bounded(
    command: Sequence[str],
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[int, str, str]:
    """Run a program to its end; return its exit code, and what it wrote.

    ``environment`` and ``folder`` are this process's unless they are given.

    Raises:
        OSError, TimeoutError, TooMuchOutputError: as `collect`, or it cannot be started.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder,
    ) as process:
        try:
            out, err = collect(process, timeout_s)
        finally:
            process.kill()
    return process.returncode, out, err


@contextlib.contextmanager
def translating_timeouts() -> Iterator[None]:
    """Raise `TimeoutError` where subprocess raises an error of its own."""
    try:
        yield
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


class LineReader:
    """Reads lines from a pipe, each in time and of a size that an answer may have."""

    def __init__(self, pipe: IO[Any]) -> None:
        self._pipe = pipe
        self._text = bytearray()

    def line(self, timeout_s: float, largest: int) -> str:
        """Return the next line, "" at the end.

        Raises:
            TimeoutError: there was none in time.
            TooMuchOutputError: it has more than ``largest`` bytes.
        """
        deadline, searched = time.monotonic() + timeout_s, 0
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while (end := self._text.find(b"\n", searched)) < 0:
                if (searched := len(self._text)) > largest:
                    raise TooMuchOutputError(largest)
                _ready(selector, deadline)
                block = os.read(self._pipe.fileno(), _BLOCK)
                self._text += block
                if not block:
                    end = len(self._text) - 1
                    break
        line = bytes(self._text[: end + 1])
        del self._text[: end + 1]
        return line.decode(errors="replace")


class Tail:
    """Reads a pipe to its end, so that nobody waits for its reader, and keeps the last of it."""

    def __init__(self, pipe: IO[Any]) -> None:
        self._kept = b""
        self._thread = threading.Thread(target=self._drain, args=(pipe,), daemon=True)
        self._thread.start()

    def text(self) -> str:
        """Return the last of what was written by a process that has ended."""
        self._thread.join(_SETTLING_S)  # another that it started may write on
        return self._kept.decode(errors="replace")

    def _drain(self, pipe: IO[Any]) -> None:
        with pipe, contextlib.suppress(OSError, ValueError):
            while block := os.read(pipe.fileno(), _BLOCK):
                self._kept = (self._kept + block)[-_TAIL_BYTES:]


def _ready(
    selector: selectors.BaseSelector, deadline: float | None
) -> list[tuple[selectors.SelectorKey, int]]:
    """Wait until there is something to read; raise `TimeoutError` if there is nothing in time."""
    left = None if deadline is None else deadline - time.monotonic()
    if left is not None and left <= 0:
        raise TimeoutError
    if not (ready := selector.select(left)):
        raise TimeoutError
    return ready
