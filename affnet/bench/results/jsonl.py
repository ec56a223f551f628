"""Results as JSON Lines: one a line, so that many runs can add to one file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from affnet import console
from affnet.bench.results.result import Result
from affnet.errors import ResultsError
from affnet.files import translating_os_errors
from affnet.reading import LARGEST_RESULTS, parse_json

SUFFIX = ".jsonl"
_BEGINNING = b'{"result_schema"'  # of each line that is written here
_PATIENCE_S = 60


def append(results: Sequence[Result], path: Path) -> None:
    """Add results to a file, which need not exist; writers wait for each other.

    A last line that a killed writer left torn is taken off first, with a note on stderr.

    Raises:
        ResultsError: the file ends in the middle of a line that is not of this kind.
        OutputError: it cannot be written.
    """
    from filelock import FileLock, Timeout

    text = "".join(json.dumps(result.to_json()) + "\n" for result in results)
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=_PATIENCE_S)
    with translating_os_errors(path):
        try:
            held = lock.acquire()
        except Timeout as error:  # which is an OSError too
            raise ResultsError(
                f"Another process has been writing to {path} for {_PATIENCE_S} s", "try again."
            ) from error
        with held, path.open("a+b") as file:
            _take_off_torn_line(file, path)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())


def read(path: Path) -> Iterator[tuple[int, object]]:
    """Yield the content of each line with its number, counted from 1.

    A torn last line is named on stderr and left out.

    Raises:
        ResultsError: another line is not JSON.
    """
    with path.open("rb") as file:
        lines = iter(lambda: file.readline(LARGEST_RESULTS), b"")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            if len(line) == LARGEST_RESULTS and not line.endswith(b"\n"):
                raise ResultsError(
                    f"{path}, line {number} has more than {LARGEST_RESULTS / 1e6:.0f} MB."
                )
            try:
                record = parse_json(line)
            except ValueError as error:
                if not line.endswith(b"\n"):  # it is the last one
                    _tell_torn(path, f"its last line, {number}, is left out")
                    return
                raise ResultsError(f"{path}, line {number} is not JSON: {error}.") from error
            yield number, record


def _take_off_torn_line(file: BinaryIO, path: Path) -> None:
    """Let the file end with a whole line; nobody else writes to it now."""
    content_bytes = file.seek(0, os.SEEK_END)
    tail = b""
    while len(tail) < content_bytes and b"\n" not in tail:
        step = min(1 << 16, content_bytes - len(tail))
        file.seek(content_bytes - len(tail) - step)
        tail = file.read(step) + tail
    torn = tail.rpartition(b"\n")[2]
    if not torn:
        return
    try:
        json.loads(torn)
    except ValueError:
        if not torn.startswith(_BEGINNING) and not _BEGINNING.startswith(torn):
            raise ResultsError(
                f"{path} ends in the middle of a line that affnet did not write",
                "name another file.",
            ) from None
        file.truncate(content_bytes - len(torn))
        _tell_torn(path, "its last line was taken off")
    else:
        file.write(b"\n")  # whole but for its end


def _tell_torn(path: Path, what: str) -> None:
    console.note(f"{path} was not written to its end: {what}.")
