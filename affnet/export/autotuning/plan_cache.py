"""Measured costs of DFT plans, kept between exports; FFTW's word for it is wisdom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from affnet import export
from affnet.cache import KINDS, change_entries, code_hash, read_entries
from affnet.export.fourier.plans.base import MapSize

_SCHEMA, _COSTS = 1, "costs"


@dataclass(frozen=True)
class Target:
    """Where costs were measured; they hold nowhere else."""

    machine: str  # what identifies it, as its device describes it
    runtime: str  # with its version
    threads: int


class PlanCache:
    """Costs in microseconds by target, map size and plan, in one JSON file.

    Several processes may use the file at once.  One that cannot be read counts as empty, and so do
    costs of plans whose code has changed since.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or _default_path()

    def get(self, target: Target, size: MapSize) -> dict[str, float | None]:
        """Return the costs by plan, None for a plan that could not be measured."""
        entry = read_entries(self.path, _SCHEMA, _COSTS).get(_key(target, size))
        known = entry.get("microseconds") if isinstance(entry, dict) else None
        if not isinstance(known, dict):
            return {}
        return {k: v for k, v in known.items() if v is None or isinstance(v, int | float)}

    def put(self, target: Target, size: MapSize, costs: Mapping[str, float | None]) -> None:
        """Put the costs by plan in the place of what was known.

        Raises:
            OutputError: the file cannot be written.
            UsageError: its folder is not writable.
        """
        entry = {**asdict(target), "map": str(size), "microseconds": dict(costs)}
        change_entries(self.path, _SCHEMA, _COSTS, {_key(target, size): entry})


def _default_path() -> Path:
    return KINDS["plans"].location()


def _key(target: Target, size: MapSize) -> str:
    parts = (target.machine, target.runtime, f"{target.threads} threads", str(size), _plans_hash())
    return " | ".join(parts)


def _plans_hash() -> str:
    """Return what changes with the code of the plans, and of all that exports them."""
    return code_hash(Path(export.__file__).parent)[:12]
