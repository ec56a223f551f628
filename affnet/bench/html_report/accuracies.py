"""How accurate a model is, and how that is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from affnet.bench.results.result import QUOTED, Result, quoted_metrics


@dataclass(frozen=True)
class Accuracy:
    """An accuracy in percent."""

    metric: str  # top-1 or mIoU
    percent: float
    interval: tuple[float, float] | None
    known: str  # measured or quoted
    of: tuple[str, str]  # of what, in words, and what else must be the same to compare
    source: str


def accuracies(result: Result) -> Iterator[Accuracy]:
    """Yield what is known of a result's file, and of its model."""
    for found in result.accuracy:
        low, high = found.top1_interval
        if all(map(is_number, (found.top1, low, high))):
            yield Accuracy(
                "top-1",
                100 * found.top1,
                (100 * low, 100 * high),
                "measured",
                (f"measured on {found.dataset}", found.fingerprint),
                f"{found.images} images, {found.runtime}",
            )
    published = result.published or {}
    source = str(published.get("source", "a source that is not named"))
    for field, percent in quoted_metrics(published).items():
        if is_number(percent):
            of = ("quoted from papers", "")
            yield Accuracy(QUOTED[field], float(percent), None, "quoted", of, source)


def is_number(value: Any) -> bool:
    """Whether a field of a record that anybody may have written is a number that can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
