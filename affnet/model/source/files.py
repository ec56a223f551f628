"""The files of a source: what a manifest says of where they are, and finding them again.

A manifest travels, so that it names no folder of anybody's machine: a file below the working
directory keeps its path from there, any other its name.  Where one was last seen on this machine
stands in the user's cache, by its hash.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from affnet.artifact import Provenance
from affnet.cache import KINDS, change_entries, read_entries
from affnet.errors import AffnetError, UsageError
from affnet.files import content_sha256

_SCHEMA, _PATHS, _KEPT = 1, "paths", 500
_AGAINST = "of affnet verify and eval"


def remember(sha256: str, path: Path) -> None:
    """Keep where a file is; a cache that cannot be written is no error."""
    record, whole = KINDS["sources"].location(), str(path.resolve())
    if read_entries(record, _SCHEMA, _PATHS).get(sha256) != whole:
        with contextlib.suppress(AffnetError):
            change_entries(record, _SCHEMA, _PATHS, {sha256: whole}, limit=_KEPT)


def find(provenance: Provenance, named: str, artifact: Path | None) -> Path:
    """Return the file that a manifest names ``named`` and has the hash that it gives.

    It is looked for where it was, in the working directory, beside the artifact, and where it was
    last seen on this machine.

    Raises:
        UsageError: it is in none of these places, or has changed since.
    """
    what = str(artifact) if artifact else "the artifact"
    option = f"--against {provenance.location} --weights" if named != provenance.location else ""
    option = f"{option or '--against'} PATH {_AGAINST}"
    changed = None
    for path in _candidates(provenance.sha256, named, artifact):
        if path.is_file():
            if content_sha256(path) == provenance.sha256:
                return path
            changed = changed or path
    if changed is not None:
        raise UsageError(
            f"{changed} has changed since {what} was exported from it",
            f"export again, or name the right file: {option}.",
        )
    raise UsageError(
        f"{what} was exported from {Path(named).name}, which is neither where it was nor beside it",
        f"copy it there, or name it: {option}.",
    )


def beside(named: str, found: Path) -> Path | None:
    """Return the training config that a manifest names, of a checkpoint that was found.

    Raises:
        UsageError: it is neither where it was nor beside the checkpoint.
    """
    for path in (Path(named), found.parent / named, found.parent / Path(named).name):
        if path.is_file():
            return path
    raise UsageError(
        f"{found} was exported with the config {Path(named).name}, which is gone",
        "copy it beside the checkpoint, or name both: affnet verify --against PATH --config PATH.",
    )


def _candidates(sha256: str | None, named: str, artifact: Path | None) -> Iterator[Path]:
    yield Path(named)
    if artifact is not None:
        yield artifact.absolute().parent / named
        yield artifact.absolute().parent / Path(named).name
    yield Path(Path(named).name)
    seen = read_entries(KINDS["sources"].location(), _SCHEMA, _PATHS).get(sha256 or "")
    if isinstance(seen, str):
        yield Path(seen)
