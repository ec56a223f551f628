"""Non-maximum suppression."""

from __future__ import annotations

import numpy as np

from affnet.errors import UnsupportedOperatorError
from affnet.runtimes.mlprogram.boxes import corners_of, suppress
from affnet.runtimes.mlprogram.operators.registry import Array, operator


@operator("non_maximum_suppression")
def _non_maximum_suppression(
    boxes: Array,
    scores: Array,
    iou_threshold: Array,
    max_boxes: Array,
    score_threshold: Array | None = None,
    per_class_suppression: Array | bool = False,
) -> list[Array]:
    """Return the kept boxes, their scores and indices, and before iOS 17 how many they are.

    Boxes are n x B x 4, scores n x B x K, and from iOS 17 on, where no score is too small,
    n x 4 x B and n x K x B.  A box has its best class's score; where none reaches the threshold,
    the best is kept all the same.  Equal scores, of which nothing is said, are refused.
    """
    since_ios17 = score_threshold is None
    if since_ios17:
        boxes, scores = boxes.transpose(0, 2, 1), scores.transpose(0, 2, 1)
    count = int(max_boxes)
    kept_boxes = np.zeros((len(boxes), count, 4), np.float32)
    kept_scores = np.zeros((len(boxes), count, scores.shape[-1]), np.float32)
    indices = np.full((len(boxes), count), -1, np.int32)
    numbers = np.zeros(len(boxes), np.int32)
    for image, (corners, values) in enumerate(zip(map(corners_of, boxes), scores, strict=True)):
        best = values.max(axis=-1)
        if len(np.unique(best)) < len(best):
            raise UnsupportedOperatorError(
                "non_maximum_suppression of equal scores cannot be evaluated here: Core ML does "
                "not document which comes first."
            )
        classes = values.argmax(axis=-1) if per_class_suppression else np.zeros(len(best))
        order = np.argsort(-best)
        if not since_ios17:
            reached = best[order] >= score_threshold
            order = order[reached] if reached.any() else order[:1]
        kept = suppress(corners, classes, order, float(iou_threshold), count)
        number = numbers[image] = len(kept)
        indices[image, :number] = kept
        kept_boxes[image, :number], kept_scores[image, :number] = boxes[image][kept], values[kept]
    if since_ios17:
        return [kept_boxes.transpose(0, 2, 1), kept_scores.transpose(0, 2, 1), indices]
    return [kept_boxes, kept_scores, indices, numbers]
