"""Reading files that anybody may have written: bounded, whatever they are."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

from affnet.errors import UsageError

LARGEST_TEXT = 32_000_000  # bytes of a manifest, a project file, class names
LARGEST_RESULTS = 128_000_000  # bytes of a file of results, or of a line of one: an hour's samples
LARGEST_ARRAYS = 1 << 30  # bytes of arrays in an archive, which may well be zeros
#: Bytes that an archive of weights may hold whatever its own size, and how often that beyond.
HARMLESS_BYTES = 1 << 28
LARGEST_INFLATION = 20  # weights hardly shrink at all


def existing_file(path: Path, what: str) -> Path:
    """Return ``path`` if it can be read, else raise `UsageError`; ``what`` it should be."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path} does not exist", f"give the path of {what}.") from None
    except (OSError, ValueError) as error:  # a loop of links, too long a name, a NUL in it
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path} cannot be read: {reason}.") from error
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path} is a folder, not {what}.")
    if not stat.S_ISREG(mode):  # a pipe would be waited for
        raise UsageError(f"{path} is a pipe or a device, not {what}.")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path} may not be read by this user", "change its rights.")
    return path


def read_text(path: Path, largest: int = LARGEST_TEXT, errors: str = "strict") -> str:
    """Return the text of a file; ``errors`` is what to do about bytes that are not UTF-8.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no file, not UTF-8 where that is strict, or has over ``largest`` bytes.
    """
    with open(path, "rb", opener=_without_waiting) as file:  # which has no opener
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is no regular file")
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it has more than {largest / 1e6:.0f} MB")
    return content.decode(errors=errors)


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text says; raise `ValueError` with the reason if it is none."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text; raise `ValueError` with the reason if it is none."""
    import tomllib  # a board's Python may lack it

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_inflation(path: Path, harmless: int | None = None) -> None:
    """Raise `ValueError` with the reason if a zip archive declares more than is plausible.

    It may hold ``harmless`` bytes however small it is.  Only its directory is read.  A file that is
    no archive passes.
    """
    harmless = HARMLESS_BYTES if harmless is None else harmless
    try:
        with zipfile.ZipFile(path) as archive:
            declared = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return
    size = path.stat().st_size
    if declared > max(harmless, LARGEST_INFLATION * size):
        raise ValueError(
            f"its {size / 1e6:.1f} MB declare {declared / 1e6:.0f} MB, which is not plausible"
        )
    check_memory(declared)


def check_memory(needed: int) -> None:
    """Raise `ValueError` if so many bytes do not fit into the memory that is free."""
    import psutil

    if needed > HARMLESS_BYTES and needed > (free := psutil.virtual_memory().available):
        raise ValueError(
            f"it holds {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory are free"
        )


def _without_waiting(name: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes to does not keep us."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
