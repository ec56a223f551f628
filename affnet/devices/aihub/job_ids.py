"""What the service calls models that were uploaded, and jobs of runs that did not end."""

from __future__ import annotations

import time
from collections.abc import Iterable

from affnet.cache import KINDS, change_entries, read_entries

_SCHEMA, _KEY = 1, "ids"
_MOST = 10_000
_JOB_LASTS_S = 24 * 3600.0  # after which a job is measured anew, and not taken up


def recall(key: str) -> str | None:
    """Return what was remembered under a key that begins with ``model`` or ``job``, if it holds."""
    entry = read_entries(KINDS["aihub"].location(), _SCHEMA, _KEY).get(key)
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        return None
    age = time.time() - entry.get("at", 0)
    return entry["id"] if key.startswith("model ") or 0 <= age < _JOB_LASTS_S else None


def remember(key: str, value: str) -> None:
    """Keep an id."""
    entry = {"id": value, "at": time.time()}
    change_entries(KINDS["aihub"].location(), _SCHEMA, _KEY, {key: entry}, _MOST)


def forget(keys: Iterable[str]) -> None:
    """Drop ids."""
    if dropped := dict.fromkeys(keys):
        change_entries(KINDS["aihub"].location(), _SCHEMA, _KEY, dropped, _MOST)
