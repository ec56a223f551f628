"""What ``affnet export`` wrote last from a folder, for commands that name no artifact.

It is remembered in the user's cache, by the folder that the command ran in, so that nothing but
artifacts and manifests appears in output folders.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affnet.cache import KINDS, change_entries, read_entries
from affnet.errors import AffnetError, UsageError

_SCHEMA, _FOLDERS = 1, "folders"
_KEPT = 100  # folders


def remember_exports(paths: Sequence[Path]) -> None:
    """Remember what one command exported; a cache that cannot be written is no error."""
    newest = {str(Path.cwd()): [str(path.absolute()) for path in paths]}
    with contextlib.suppress(AffnetError):
        change_entries(_record_path(), _SCHEMA, _FOLDERS, newest, limit=_KEPT)


def last_export(output: Path) -> tuple[Path, str]:
    """Return the artifact that is meant where none is named, and why.

    It is what the last export from this folder wrote, or else the only artifact in ``output``.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = [path for text in _read().get(str(Path.cwd()), []) if (path := Path(text)).exists()]
    reason = "exported last from this folder"
    if not found:
        found, reason = _artifacts_in(output), f"the only artifact in {output.resolve().name}"
    if not found:
        raise UsageError(
            "No ARTIFACT given, and nothing was exported from this folder; name a file, or make "
            "one with: affnet export"
        )
    shown = [_from_here(path) for path in found]
    if len(shown) > 1:
        names = ", ".join(map(str, shown))
        raise UsageError(f"No ARTIFACT given, and there are {len(shown)}: {names}; name one.")
    return shown[0], reason


def _artifacts_in(folder: Path) -> list[Path]:
    from affnet.artifact import manifest_path

    suffix = manifest_path(Path("x")).name.removeprefix("x")
    files = (path.with_name(path.name.removesuffix(suffix)) for path in folder.glob(f"*{suffix}"))
    return sorted(path for path in files if path.exists())


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return Path(os.path.relpath(path, here)) if path.absolute().is_relative_to(here) else path


def _read() -> dict[str, Any]:
    folders = read_entries(_record_path(), _SCHEMA, _FOLDERS)
    return {k: v for k, v in folders.items() if isinstance(v, list)}


def _record_path() -> Path:
    return KINDS["exports"].location()
