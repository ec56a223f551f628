"""What was measured of which mixer on which maps, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from affnet.bench.mixers.growth import REFERENCE_TOKENS, PowerLaw, fit_power_law
from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import Interval

REFERENCE = "aff"  # the mixer that the others are compared with


@dataclass(frozen=True)
class MixerProperties:
    """What a mixer says of itself."""

    name: str
    source: str
    complexity: str
    is_global: bool
    adapts: bool

    @property
    def is_rival(self) -> bool:
        """Whether it does what AFF does: reach all tokens, by weights that follow the content."""
        return self.is_global and self.adapts and self.name != REFERENCE


@dataclass(frozen=True)
class Setting:
    """Where mixers are measured side by side."""

    runtime: str
    channels: int
    height: int
    width: int

    @property
    def tokens(self) -> int:
        """Pixels of a map."""
        return self.height * self.width

    @property
    def size(self) -> str:
        """The map's sides."""
        return f"{self.height}x{self.width}"

    @property
    def maps(self) -> str:
        """Channels and sides."""
        return f"{self.channels}x{self.size}"


@dataclass(frozen=True)
class Cell:
    """One mixer in one setting: its result, or why there is none."""

    mixer: str
    setting: Setting
    result: Result | None
    reason: str | None = None


@dataclass(frozen=True)
class FormatSupport:
    """Whether a format can hold a mixer: the error of its file against PyTorch, or the reason."""

    mixer: str
    format: str
    maps: str
    error: float | None
    reason: str | None = None


@dataclass(frozen=True)
class Curve:
    """How one mixer grows over map sizes of the same channels on one runtime."""

    mixer: str
    runtime: str
    channels: int
    sizes: tuple[str, ...]
    latency_ns: PowerLaw
    macs: PowerLaw | None  # of those that multiply at all
    ahead: tuple[str, ...]  # sizes at which it is faster than the reference, beyond the interval
    behind: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A whole run."""

    mixers: Sequence[MixerProperties]
    cells: Sequence[Cell]
    support: Sequence[FormatSupport]

    @property
    def results(self) -> list[Result]:
        """All results."""
        return [cell.result for cell in self.cells if cell.result]

    def curves(self) -> list[Curve]:
        """Return the growth of each mixer that was measured at two sizes or more."""
        groups: dict[tuple[str, int, str], list[Cell]] = {}
        for cell in self.cells:
            if cell.result:
                key = (cell.setting.runtime, cell.setting.channels, cell.mixer)
                groups.setdefault(key, []).append(cell)
        return [
            _curve(cells)
            for cells in groups.values()
            if len({cell.setting.tokens for cell in cells}) > 1
        ]

    def record(self) -> dict[str, Any]:
        """Return the machine-readable form."""
        return {
            "mixers": [
                {
                    "mixer": t.name,
                    "source": t.source,
                    "complexity": t.complexity,
                    "global": t.is_global,
                    "content_adaptive": t.adapts,
                }
                for t in self.mixers
            ],
            "results": [_cell_record(cell) for cell in self.cells if cell.result],
            "missing": [
                {**_setting_record(cell), "reason": cell.reason}
                for cell in self.cells
                if not cell.result
            ],
            "growth": [_curve_record(curve) for curve in self.curves()],
            "formats": [
                {
                    "mixer": h.mixer,
                    "format": h.format,
                    "maps": h.maps,
                    "holds": h.reason is None,
                    "max_rel_error": h.error,
                    "reason": h.reason,
                }
                for h in self.support
            ],
        }


def _curve(cells: Sequence[Cell]) -> Curve:
    first = cells[0].setting
    tokens = [cell.setting.tokens for cell in cells]
    results = [cell.result for cell in cells if cell.result]
    macs = [result.macs or 0 for result in results]
    return Curve(
        mixer=cells[0].mixer,
        runtime=first.runtime,
        channels=first.channels,
        sizes=tuple(cell.setting.size for cell in cells),
        latency_ns=fit_power_law(tokens, [result.summary().median for result in results]),
        macs=fit_power_law(tokens, macs) if min(macs) > 0 else None,
        ahead=tuple(c.setting.size for c in cells if (r := _ratio(c)) and r.high < 1),
        behind=tuple(c.setting.size for c in cells if (r := _ratio(c)) and r.low > 1),
    )


def _ratio(cell: Cell) -> Interval | None:
    return cell.result.ratio_to_peer if cell.result and cell.mixer != REFERENCE else None


def _setting_record(cell: Cell) -> dict[str, Any]:
    return {
        "mixer": cell.mixer,
        "runtime": cell.setting.runtime,
        "channels": cell.setting.channels,
        "height": cell.setting.height,
        "width": cell.setting.width,
        "tokens": cell.setting.tokens,
    }


def _cell_record(cell: Cell) -> dict[str, Any]:
    assert cell.result is not None
    return {**cell.result.to_json(), **_setting_record(cell)}


def _curve_record(curve: Curve) -> dict[str, Any]:
    latency, macs = curve.latency_ns, curve.macs
    return {
        "mixer": curve.mixer,
        "runtime": curve.runtime,
        "channels": curve.channels,
        "sizes": list(curve.sizes),
        "exponent": latency.exponent.value,
        "exponent_interval": _ends(latency.exponent),
        "reference_tokens": REFERENCE_TOKENS,
        "constant_ns": latency.constant.value,
        "constant_interval_ns": _ends(latency.constant),
        "macs_exponent": macs.exponent.value if macs else None,
        "faster_than_reference": list(curve.ahead),
        "slower_than_reference": list(curve.behind),
    }


def _ends(interval: Interval) -> list[float | None]:
    return [end if math.isfinite(end) else None for end in (interval.low, interval.high)]
