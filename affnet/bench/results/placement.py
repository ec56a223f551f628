"""Which results ran too few of their operators where they were asked to."""

from __future__ import annotations

from collections.abc import Sequence

from affnet.bench.results.result import Result
from affnet.placement import Placement

_NAMED = 10  # of the operators that fell back


def shortfalls(results: Sequence[Result], percent: float) -> list[str]:
    """Return a sentence for each result with less than ``percent`` placed, or not known to be."""
    found = []
    for result in results:
        what = f"{result.model} on {result.runtime} on {result.device}"
        if result.placement is None or (share := result.placement.share) is None:
            found.append(f"{what} did not report where its operators ran.")
        elif 100 * share < percent:
            asked = "/".join(result.placement.asked)
            found.append(
                f"{what}: {result.placement.text()}, but --require-placement wants {percent:g} % "
                f"on {asked}; what fell back: {_named(result.placement)}."
            )
    return found


def _named(placement: Placement) -> str:
    """Name operators with their types and reasons, a few of many."""
    parts = [
        " ".join(filter(None, (one.operator, one.name, one.reason and f"({one.reason})")))
        or "one without a name"
        for one in placement.fallen[:_NAMED]
    ]
    if (more := len(placement.fallen) - _NAMED) > 0:
        parts.append(f"and {more} more")
    return ", ".join(parts)
