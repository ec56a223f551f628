"""From a detection network's outputs to what it found: scores, threshold, non-maximum suppression.

Source: "SSD: Single Shot MultiBox Detector", arXiv 1512.02325, section 3, with the numbers of the
published code of AFFNet's family.  An artifact with the suppression inside computes the same, in
the same order, also where scores are equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float32]


@dataclass(frozen=True)
class Suppression:
    """What is kept."""

    score_threshold: float = 0.01  # a box with a smaller or an equal score is no candidate
    candidates: int = 400  # of each class, the best ones
    iou_threshold: float = 0.5  # a box that overlaps a better one of its class by more is dropped
    detections: int = 200  # of all classes, the best ones


@dataclass(frozen=True)
class Detections:
    """What was found in one image, the best first."""

    boxes: _Array  # N x 4: left, top, right, bottom as fractions of the image
    scores: _Array  # N, probabilities
    classes: NDArray[np.int64]  # N, indices of the network's scores, so never 0, the background

    def __len__(self) -> int:
        return len(self.scores)


def decode_detections(
    scores: _Array, boxes: _Array, suppression: Suppression | None = None
) -> Detections:
    """Return what a network found.

    Of equal scores the one of the lower class, then of the lower anchor, comes first.

    Args:
        scores: A x classes, before any softmax; class 0 is the background.
        boxes: A x 4: left, top, right, bottom.
        suppression: the thresholds and numbers; None for the published ones.
    """
    rule = suppression or Suppression()
    probabilities = softmax(scores)
    kept_boxes, kept_scores, kept_classes = [], [], []
    for label in range(1, scores.shape[1]):
        order = np.argsort(-probabilities[:, label], kind="stable")[: rule.candidates]
        order = order[probabilities[order, label] > rule.score_threshold]
        kept = order[suppress(boxes[order], rule.iou_threshold)]
        kept_boxes.append(boxes[kept])
        kept_scores.append(probabilities[kept, label])
        kept_classes.append(np.full(len(kept), label))
    found = np.concatenate(kept_scores)
    best = np.argsort(-found, kind="stable")[: rule.detections]
    return Detections(
        np.concatenate(kept_boxes)[best], found[best], np.concatenate(kept_classes)[best]
    )


def decode_anchors(
    centers: _Array, probabilities: _Array, suppression: Suppression | None = None
) -> Detections:
    """Return what a file found that gives each anchor's box and probabilities.

    Args:
        centers: A x 4: y, x, height and width.
        probabilities: A x (classes - 1), those of the background left out.
        suppression: as in `decode_detections`.
    """
    y, x, height, width = np.split(centers, 4, axis=-1)
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    background = 1 - probabilities.sum(axis=-1, keepdims=True)
    every = np.maximum(np.concatenate((background, probabilities), axis=-1), np.float32(1e-30))
    return decode_detections(np.log(every), np.concatenate(corners, axis=-1), suppression)


def decode_best_classes(
    confidence: _Array, boxes: _Array, suppression: Suppression | None = None
) -> NDArray[np.int64]:
    """Return the anchors that are kept where each counts for its best class only, the best first.

    That is how Core ML's own suppression keeps boxes, which knows no limit of candidates.  Of equal
    confidences the lower anchor comes first.

    Args:
        confidence: A x (classes - 1), probabilities, those of the background left out.
        boxes: A x 4: left, top, right, bottom.
        suppression: as in `decode_detections`.
    """
    rule = suppression or Suppression()
    best, classes = confidence.max(axis=-1), confidence.argmax(axis=-1)
    order = np.argsort(-best, kind="stable")
    order = order[best[order] > rule.score_threshold]
    kept = np.zeros(len(order), bool)
    for label in np.unique(classes[order]):
        (own,) = np.nonzero(classes[order] == label)
        kept[own[suppress(boxes[order[own]], rule.iou_threshold)]] = True
    return np.asarray(order[kept][: rule.detections], np.int64)


def read_rows(confidence: _Array, coordinates: _Array) -> Detections:
    """Return what a file found that gives a row for each object, as Core ML's suppression does.

    Args:
        confidence: N x (classes - 1); rows of zeros fill the file's fixed number.
        coordinates: N x 4: x and y of the center, width and height.
    """
    real = confidence.max(axis=-1) > 0
    rows = confidence[real]
    center, half = coordinates[real, :2], coordinates[real, 2:] / 2
    boxes: _Array = np.concatenate((center - half, center + half), axis=-1)
    return Detections(boxes, rows.max(axis=-1), rows.argmax(axis=-1) + 1)


def softmax(scores: _Array) -> _Array:
    """Return probabilities over the last axis."""
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: _Array = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


def suppress(boxes: _Array, iou_threshold: float) -> NDArray[np.int64]:
    """Return the indices of the boxes that overlap no better one, of boxes sorted by their score.

    A box that was dropped drops no other.
    """
    kept: list[int] = []
    alive = np.ones(len(boxes), bool)
    for index, box in enumerate(boxes):
        if not alive[index]:
            continue
        kept.append(index)
        alive &= ~(overlaps(boxes, box) > np.float32(iou_threshold))
    return np.array(kept, np.int64)


def overlaps(boxes: _Array, others: _Array) -> _Array:
    """Return intersection over union, of shapes ... x 4 that broadcast; of empty boxes it is 0."""
    low = np.maximum(boxes[..., :2], others[..., :2])
    high = np.minimum(boxes[..., 2:], others[..., 2:])
    common = np.maximum(high - low, 0).prod(axis=-1)
    union = _areas(boxes) + _areas(others) - common
    result: _Array = common / np.where(union > 0, union, 1)
    return result


def _areas(boxes: _Array) -> _Array:
    areas: _Array = (boxes[..., 2:] - boxes[..., :2]).prod(axis=-1)
    return areas
