"""Boxes as Core ML has them, and which of them a suppression keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[Any]


def corners_of(boxes: _Array) -> _Array:
    """Return left, top, right and bottom of boxes given by centre, width and height."""
    centre, half = boxes[:, :2], boxes[:, 2:] * np.float32(0.5)
    return np.concatenate((centre - half, centre + half), axis=-1)


def suppress(
    corners: _Array, classes: _Array, order: _Array, iou_threshold: float, count: int
) -> list[int]:
    """Return the first ``count`` of ``order`` that no better one of their class overlaps."""
    areas = np.prod(corners[:, 2:] - corners[:, :2], axis=-1)
    kept: list[int] = []
    while len(order) and len(kept) < count:
        best, order = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(corners[order, :2], corners[best, :2])
        high = np.minimum(corners[order, 2:], corners[best, 2:])
        common = np.prod(np.maximum(high - low, 0), axis=-1)
        union = areas[order] + areas[best] - common
        overlap = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
        order = order[(overlap <= np.float32(iou_threshold)) | (classes[order] != classes[best])]
    return kept
