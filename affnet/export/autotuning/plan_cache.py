"""Measured costs of DFT plans, remembered between exports; FFTW's word for it is wisdom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from affnet import export
from affnet.export.fourier.plans.base import MapSize
from affnet.files import translating_os_errors, write_whole
from affnet.reading import parse_json, read_text

_SCHEMA = 1


@dataclass(frozen=True)
class Target:
    """Where costs were measured; they hold nowhere else."""

    machine: str  # what identifies it, as its device describes it
    runtime: str  # with its version
    threads: int


class Wisdom:
    """Costs in microseconds by target, map size and plan, in one JSON file.

    Several processes may use the file at once.  One that cannot be read counts as empty, and so do
    costs of plans whose code has changed since.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or _default_path()

    def recall(self, target: Target, size: MapSize) -> dict[str, float | None]:
        """Return the costs by plan, None for a plan that could not be measured."""
        known = self._read().get(_key(target, size), {}).get("microseconds")
        if not isinstance(known, dict):
            return {}
        return {k: v for k, v in known.items() if v is None or isinstance(v, int | float)}

    def remember(self, target: Target, size: MapSize, costs: Mapping[str, float | None]) -> None:
        """Put the costs by plan in the place of what was known.

        Raises:
            OutputError: the file cannot be written.
            UsageError: its folder is not writable.
        """
        from filelock import FileLock

        with translating_os_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock"):
                entries = self._read()
                entries[_key(target, size)] = {
                    **asdict(target),
                    "map": str(size),
                    "microseconds": dict(costs),
                }
                content = json.dumps({"schema": _SCHEMA, "costs": entries}, indent=1)
                write_whole(self.path, content + "\n")

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content = parse_json(read_text(self.path))
            entries = content["costs"] if content["schema"] == _SCHEMA else {}
            return {key: entry for key, entry in entries.items() if isinstance(entry, dict)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}


def _default_path() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("affnet") / "wisdom.json"


def _key(target: Target, size: MapSize) -> str:
    parts = (target.machine, target.runtime, f"{target.threads} threads", str(size), _plans_hash())
    return " | ".join(parts)


@cache
def _plans_hash() -> str:
    """Return what changes with the code of the plans, and of all that exports them."""
    digest = hashlib.sha256()
    for file in sorted(Path(export.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
