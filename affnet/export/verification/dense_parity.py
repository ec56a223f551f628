"""Agreement of outputs that are no continuous function of the scores: classes and detections.

Where PyTorch's two best scores, or an overlap and its threshold, differ by less than rounding, a
file may decide otherwise and be right.  So what counts is the share of decisions that are equal, or
right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.detections import (
    Detections,
    Suppression,
    decode_best_classes,
    decode_detections,
    overlaps,
    read_rows,
    softmax,
)
from affnet.parity import IDENTICAL_PSNR_DB, TOLERANCES, Parity

#: The largest share of decisions that may differ.
_DISAGREEMENT = {"fp32": 1e-3}
_COARSE = 5e-3
#: How near scores, overlaps, and boxes in fractions of the image are; as `TOLERANCES` has it.
_NEAR = {"fp32": 1e-3}
_COARSELY_NEAR = 5e-2


def class_map_parity(expected: NDArray[Any], actual: NDArray[Any], precision: str) -> Parity:
    """Compare class maps, N x H x W."""
    if expected.shape != actual.shape:
        return _parity(0.0, len(expected), precision)
    return _parity(float((expected == actual).mean()), len(expected), precision)


def detections_parity(
    scores: NDArray[Any], boxes: NDArray[Any], found: Sequence[NDArray[Any]], precision: str
) -> Parity:
    """Compare boxes, scores and classes, N x 200 .., with PyTorch's raw scores and boxes.

    Counted are a file's detections and those of `decode_detections`; both have to be right, see
    `_founded` and `_accounted_for`.
    """
    count = Suppression().detections
    if [array.shape[1:] for array in found] != [(count, 4), (count,), (count,)]:
        return _parity(0.0, len(scores), precision)
    near = _NEAR.get(precision, _COARSELY_NEAR)
    agreeing = total = 0
    for raw, corners, *outputs in zip(scores, boxes, *found, strict=True):
        real = outputs[1] > 0
        mine = Detections(*(output[real] for output in outputs))
        right = _founded(mine, softmax(raw), corners, near)
        others = decode_detections(raw, corners)
        explained = _accounted_for(others, mine, right, near)
        agreeing += int(right.sum() + explained.sum())
        total += len(right) + len(explained)
    return _parity(agreeing / total if total else 1.0, len(scores), precision)


def rows_parity(
    confidence: NDArray[Any],
    coordinates: NDArray[Any],
    found: Sequence[NDArray[Any]],
    precision: str,
) -> Parity:
    """Compare the rows that Core ML's suppression keeps with PyTorch's before the suppression.

    Args:
        confidence: N x A x (classes - 1), of PyTorch.
        coordinates: N x A x 4: x and y of the center, width and height.
        found: the same of a file, N x 200 x .., filled with zeros.
        precision: of the file.
    """
    count = Suppression().detections
    shapes = [(count, array.shape[-1]) for array in (confidence, coordinates)]
    if [array.shape[1:] for array in found] != shapes:
        return _parity(0.0, len(confidence), precision)
    near = _NEAR.get(precision, _COARSELY_NEAR)
    agreeing = total = 0
    for rows, centers, given, places in zip(confidence, coordinates, *found, strict=True):
        every = np.maximum(rows, np.finfo(np.float32).tiny)  # so that none counts as filling
        boxes = read_rows(every, centers).boxes
        kept = given.max(axis=-1) > 0
        mine = read_rows(given, places)
        right = _rows_founded(mine, given[kept], rows, boxes, near)
        wanted = decode_best_classes(rows, boxes)
        explained = _rows_accounted_for(rows[wanted], boxes[wanted], mine, right, near)
        agreeing += int(right.sum() + explained.sum())
        total += len(right) + len(explained)
    return _parity(agreeing / total if total else 1.0, len(confidence), precision)


def _rows_founded(
    found: Detections,
    given: NDArray[Any],
    rows: NDArray[Any],
    boxes: NDArray[Any],
    near: float,
) -> NDArray[np.bool_]:
    """Tell which kept rows are a good anchor's, in their place, and overlap no better one."""
    same_box = _distance(found.boxes, boxes) <= near
    anchored = [
        bool((np.abs(row - rows[places]).max(axis=-1) <= near).any())
        for row, places in zip(given, same_box, strict=True)
    ]
    good = found.scores >= Suppression().score_threshold - near
    return np.array(anchored, bool) & good & _ordered_and_apart(found, near)


def _rows_accounted_for(
    rows: NDArray[Any],
    boxes: NDArray[Any],
    found: Detections,
    right: NDArray[np.bool_],
    near: float,
) -> NDArray[np.bool_]:
    """Tell which rows that are to be kept a file has, or leaves out for a reason.

    The reasons are those of `_accounted_for`; where an anchor's best classes are nearly as good,
    a file may take any of them.
    """
    scores = rows.max(axis=-1)
    same = right[None] & (rows[:, found.classes - 1] >= scores[:, None] - near)
    expected = Detections(boxes, scores, rows.argmax(axis=-1) + 1)
    return _has_or_drops(expected, found, same, near)


def _founded(
    found: Detections, probabilities: NDArray[Any], boxes: NDArray[Any], near: float
) -> NDArray[np.bool_]:
    """Tell which detections are some anchor's, in their place, and overlap no better one."""
    scores = probabilities[:, found.classes].T  # detections x anchors
    anchored = np.abs(found.scores[:, None] - scores) <= near
    anchored &= _distance(found.boxes, boxes) <= near
    result: NDArray[np.bool_] = anchored.any(axis=1) & _ordered_and_apart(found, near)
    return result


def _ordered_and_apart(found: Detections, near: float) -> NDArray[np.bool_]:
    """Tell which detections are no better than the one before, and overlap no better one."""
    overlap = overlaps(found.boxes[:, None], found.boxes[None]) > Suppression().iou_threshold + near
    overlap &= found.classes[:, None] == found.classes[None]
    ordered = np.diff(found.scores, prepend=np.inf) <= 0
    result: NDArray[np.bool_] = ordered & ~np.tril(overlap, -1).any(axis=1)
    return result


def _accounted_for(
    expected: Detections, found: Detections, right: NDArray[np.bool_], near: float
) -> NDArray[np.bool_]:
    """Tell which detections a file has, or leaves out for a reason.

    That is one of its own, of the class, that is as good and overlaps it; or that its score is no
    better than the last of as many as there may be, or than the threshold.
    """
    same = right[None] & (expected.classes[:, None] == found.classes[None])
    return _has_or_drops(expected, found, same, near)


def _has_or_drops(
    expected: Detections, found: Detections, same: NDArray[np.bool_], near: float
) -> NDArray[np.bool_]:
    """Do `_accounted_for`, where ``same`` says which of ``found`` may stand for which detection."""
    rule = Suppression()
    difference = found.scores[None] - expected.scores[:, None]
    has = (np.abs(difference) <= near) & (_distance(expected.boxes, found.boxes) <= near)
    overlap = overlaps(expected.boxes[:, None], found.boxes[None])
    drops = (difference >= -near) & (overlap >= rule.iou_threshold - near)
    last = found.scores[-1] if len(found) == rule.detections else rule.score_threshold
    result: NDArray[np.bool_] = (same & (has | drops)).any(axis=1)
    return result | (expected.scores <= last + near)


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
