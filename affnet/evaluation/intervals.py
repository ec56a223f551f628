"""How far a proportion that was counted may lie from the true one."""

from __future__ import annotations

import math

_Z = 1.959963984540054  # of 95 % confidence


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion (Wilson, JASA 22, 1927), within 0..1.

    Unlike the normal one it keeps within 0..1, and does not collapse where all or none hit.
    """
    share, spread = hits / count, _Z * _Z / count
    centre = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return max(0.0, centre - half), min(1.0, centre + half)
