"""Where each operator of a model runs: one record, whatever the device and the runtime report.

Units are ``cpu``, ``gpu``, ``ane`` (Apple's Neural Engine), ``npu``, ``webgpu``, ``wasm``,
``xnnpack`` (its kernels, which the CPU runs) and ``other``.  A board uses this too, so that it
imports nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CPU = "cpu"
_OF_THE_CPU = (CPU, "xnnpack")
_KINDS_NAMED = 4  # of the operators that fell back


@dataclass(frozen=True)
class PlacedOperator:
    """Where an operator runs; name and type are "" where a tool only counts."""

    name: str  # the node's, or that of its output
    operator: str  # its type, as the runtime calls it
    unit: str
    reason: str = ""  # why it is on none of the units that were asked for, where that is known
    supported: tuple[str, ...] = ()  # the units that could run it, where that is known
    estimated_ns: int | None = None


@dataclass(frozen=True)
class Placement:
    """The operators of a model in one session, and the units that were asked to run them."""

    asked: tuple[str, ...]  # () of a result of an older version
    operators: tuple[PlacedOperator, ...]

    @property
    def units(self) -> dict[str, int]:
        """How many operators each unit runs, the most first."""
        return dict(Counter(one.unit for one in self.operators).most_common())

    @property
    def share(self) -> float | None:
        """The share of the operators that run where they were asked to, 0..1; None: unknown."""
        if not (self.asked and self.operators):
            return None
        return 1 - len(self.fallen) / len(self.operators)

    @property
    def fallen(self) -> tuple[PlacedOperator, ...]:
        """The operators that run elsewhere than they were asked to."""
        if not self.asked:
            return ()
        return tuple(one for one in self.operators if one.unit not in self.asked)

    def text(self) -> str:
        """Return it in a few words: ``96 % gpu, 3 on CPU``; a fallback never rounds to 100 %."""
        asked, units = "/".join(self.asked), Counter(one.unit for one in self.fallen)
        elsewhere = [f"{count} on {_shown(unit)}" for unit, count in units.most_common()]
        if self.share is None:
            return ", ".join(f"{count} on {_shown(unit)}" for unit, count in self.units.items())
        if self.share == 0:
            return f"{', '.join(map(_shown, units))}, not {asked}"
        return ", ".join([f"{math.floor(100 * self.share)} % {asked}", *elsewhere])

    def warning(self) -> str | None:
        """Say what did not run on the accelerator that was asked for, without a full stop.

        None of a plan, such as Core ML's, which says where operators could run: it may be left.
        """
        planned = any(one.supported for one in self.operators)
        if planned or not self.fallen or set(self.asked) <= {*_OF_THE_CPU}:
            return None
        asked = "/".join(self.asked)
        missed = f"{len(self.fallen)} of {len(self.operators)} operators did not run on {asked}"
        return f"{missed}: {self.fallen_text()}"

    def fallen_text(self, most: int = _KINDS_NAMED) -> str:
        """Name what fell back by type and unit, with its reason: ``3 DFT on CPU (no kernel)``."""
        groups = Counter((one.operator, one.unit, one.reason) for one in self.fallen)
        parts = [
            f"{count} {kind or 'operator(s)'} on {_shown(unit)}{f' ({reason})' if reason else ''}"
            for (kind, unit, reason), count in groups.most_common(most)
        ]
        if (more := len(groups) - most) > 0:
            parts.append(f"{more} more kind(s)")
        return "; ".join(parts)


def to_wire(placement: Placement) -> dict[str, Any]:
    """Return a placement as a measuring process answers it."""
    rows = [[one.name, one.operator, one.unit, one.reason] for one in placement.operators]
    return {"asked": list(placement.asked), "operators": rows}


def from_wire(record: Any) -> Placement:
    """Read what `to_wire` returned; raise `TypeError`, `ValueError` or `KeyError` of nonsense."""
    operators = tuple(
        PlacedOperator(name, operator, unit, reason)
        for name, operator, unit, reason in map(_texts, record["operators"])
    )
    return Placement(_texts(record["asked"]), operators)


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("it is no list of texts")
    return tuple(values)


def _shown(unit: str) -> str:
    return "CPU" if unit == CPU else unit
