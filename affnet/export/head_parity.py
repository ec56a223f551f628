"""Agreement of outputs that are no continuous function of the scores: classes and detections.

Where PyTorch's two best scores, or an overlap and its threshold, differ by less than rounding, a
file may decide otherwise and be right.  So what counts is the share of equal decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.parity import IDENTICAL_PSNR_DB, TOLERANCES, Parity

#: The largest share of decisions that may differ.
_DISAGREEMENT = {"fp32": 1e-3}
_COARSE = 5e-3
_NEAR = 1e-3  # of scores, and of boxes in fractions of the image


def class_map_parity(expected: NDArray[Any], actual: NDArray[Any], precision: str) -> Parity:
    """Compare class maps, N x H x W."""
    if expected.shape != actual.shape:
        return _parity(0.0, len(expected), precision)
    return _parity(float((expected == actual).mean()), len(expected), precision)


def detections_parity(
    expected: Sequence[NDArray[Any]], actual: Sequence[NDArray[Any]], precision: str
) -> Parity:
    """Compare boxes, scores and classes, each filled with scores of 0.

    A detection agrees if the other side has one of its class, with nearly its score and box.
    """
    if any(a.shape != e.shape for e, a in zip(expected, actual, strict=True)):
        return _parity(0.0, len(expected[0]), precision)
    agreeing = total = 0
    for one, other in ((expected, actual), (actual, expected)):
        for boxes, scores, classes, *others in zip(*one, *other, strict=True):
            real = scores > 0
            near = (
                (np.abs(scores[:, None] - others[1][None]) <= _NEAR)
                & (classes[:, None] == others[2][None])
                & (_distance(boxes, others[0]) <= _NEAR)
            )
            agreeing += int((near.any(axis=1) & real).sum())
            total += int(real.sum())
    return _parity(agreeing / total if total else 1.0, len(expected[0]), precision)


def _distance(boxes: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Return the largest difference of each pair's sides, over 1 or the box's largest side."""
    difference = np.abs(boxes[:, None] - others[None]).max(axis=-1)
    result: NDArray[Any] = difference / np.maximum(1, np.abs(boxes).max(axis=-1))[:, None]
    return result


def _parity(agreement: float, inputs: int, precision: str) -> Parity:
    allowed = _DISAGREEMENT.get(precision, _COARSE)
    assert precision in TOLERANCES
    return Parity(
        max_abs_error=1 - agreement,
        max_rel_error=1 - agreement,
        psnr_db=IDENTICAL_PSNR_DB if agreement == 1 else 0.0,
        top1_agreement=agreement,
        inputs=inputs,
        tolerance=allowed,
        passed=1 - agreement <= allowed,
    )
