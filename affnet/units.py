"""Formatting of quantities for people.  Records keep plain numbers in base units."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """A unit that tables show; ``size`` is how many base units it holds."""

    symbol: str
    size: float
    digits: int

    def number(self, value: float) -> str:
        """Format ``value``, given in base units, without the symbol; at least three digits."""
        scaled = value / self.size
        return f"{scaled:.{self.digits}f}" if abs(scaled) < 100 else f"{scaled:.0f}"

    def text(self, value: float) -> str:
        """Format ``value``, given in base units, with the symbol."""
        return f"{self.number(value)} {self.symbol}"


MILLISECONDS = Unit("ms", 1e6, 2)  # of ns
MEGABYTES = Unit("MB", 1e6, 1)  # of bytes
GIGABYTES = Unit("GB", 1e9, 1)
MILLIONS = Unit("M", 1e6, 2)  # of parameters or multiply-accumulates
MILLIJOULES = Unit("mJ", 1.0, 2)
PERCENT = Unit("%", 1e-2, 1)  # of fractions


_QUANTITIES = {
    "time": {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9},
    "energy": {"uJ": 1e-3, "mJ": 1.0, "J": 1e3},
    "bytes": {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9},
}


def parse_quantity(text: object, dimension: str | None) -> float:
    """Return ``12 ms`` in ns, or ``25 MB`` in bytes; raise `ValueError` for anything else."""
    found = re.fullmatch(r"\s*(\d+\.?\d*)\s*(\w+)\s*", str(text))
    units = _QUANTITIES.get(dimension or "", {})
    if not found or found[2] not in units:
        raise ValueError(f"{text!r} is no quantity of {dimension}")
    return float(found[1]) * units[found[2]]


def image_size(height: int, width: int) -> str:
    """Format an image or map size, height first."""
    return f"{height}x{width}"
