"""Formatting of quantities for people.  Records keep plain numbers in base units."""

from __future__ import annotations

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
MILLIONS = Unit("M", 1e6, 2)  # of parameters or multiply-accumulates
PERCENT = Unit("%", 1e-2, 1)  # of fractions


def image_size(height: int, width: int) -> str:
    """Format an image or map size, height first."""
    return f"{height}x{width}"
