"""What ``affnet export`` wrote last from a folder, for commands that name no artifact.

It is remembered in the user's cache, by the folder that the command ran in, so that nothing but
artifacts and manifests appears in output folders.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affnet.errors import AffnetError, UsageError
from affnet.files import translating_os_errors, write_whole
from affnet.reading import parse_json, read_text

_SCHEMA = 1
_KEPT = 100  # folders


def remember_exports(paths: Sequence[Path]) -> None:
    """Remember what one command exported; a cache that cannot be written is no error."""
    from filelock import FileLock, Timeout

    record = _record_path()
    with contextlib.suppress(AffnetError, OSError, Timeout), translating_os_errors(record):
        record.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{record}.lock", timeout=5):
            folders = _read()
            folders.pop(here := str(Path.cwd()), None)
            folders[here] = [str(path.absolute()) for path in paths]
            newest = dict(list(folders.items())[-_KEPT:])
            write_whole(record, json.dumps({"schema": _SCHEMA, "folders": newest}) + "\n")


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
    try:
        content = parse_json(read_text(_record_path()))
        folders = content["folders"] if content["schema"] == _SCHEMA else {}
        return {k: v for k, v in folders.items() if isinstance(v, list)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _record_path() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("affnet") / "exports.json"
