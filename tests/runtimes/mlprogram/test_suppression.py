"""Non-maximum suppression in both its forms, next to a loop over boxes and coremltools' example."""

from __future__ import annotations

import numpy as np
import pytest

from affnet.errors import UnsupportedOperatorError

ct = pytest.importorskip("coremltools")
mb = pytest.importorskip("coremltools.converters.mil.mil").Builder

#: Centre, width and height: two that overlap by 2 / 3, the first the better, and one apart.
BOXES = np.array([[[2, 2, 4, 4], [2, 2.8, 4, 4], [9, 9, 2, 2]]], np.float32)
SCORES = np.array([[[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]], np.float32)


def before_ios17(threshold: float, count: int, *, by_class: bool = False):
    return lambda a, b: mb.non_maximum_suppression(
        boxes=a,
        scores=b,
        iou_threshold=0.5,
        score_threshold=threshold,
        max_boxes=count,
        per_class_suppression=by_class,
    )


def since_ios17(a, b):
    return mb.non_maximum_suppression(boxes=a, scores=b, iou_threshold=0.5, max_boxes=4)


def test_a_box_that_overlaps_a_better_one_is_left_out(evaluate):
    boxes, scores, indices, count = evaluate(before_ios17(0.4, 4), [BOXES, SCORES], ct.target.iOS16)
    assert (indices.tolist(), count.tolist()) == ([[0, 2, -1, -1]], [2])
    assert boxes[0].tolist() == [*BOXES[0, [0, 2]].tolist(), [0] * 4, [0] * 4]
    np.testing.assert_array_equal(scores[0, :2], SCORES[0, [0, 2]])


def test_classes_may_be_suppressed_apart(evaluate):
    program = before_ios17(0.4, 4, by_class=True)
    *_, indices, count = evaluate(program, [BOXES, SCORES], ct.target.iOS16)
    assert (indices.tolist(), count.tolist()) == ([[0, 1, 2, -1]], [3])


def test_since_ios_17_the_boxes_stand_on_the_last_axis(evaluate):
    turned = [np.ascontiguousarray(a.transpose(0, 2, 1)) for a in (BOXES, SCORES)]
    boxes, scores, indices = evaluate(since_ios17, turned)
    assert indices.tolist() == [[0, 2, -1, -1]]
    np.testing.assert_array_equal(boxes[0, :, :2], BOXES[0, [0, 2]].T)
    np.testing.assert_array_equal(scores[0, :, :2], SCORES[0, [0, 2]].T)


def test_the_best_is_kept_where_none_reaches_the_threshold(evaluate):
    *_, indices, count = evaluate(before_ios17(0.95, 2), [BOXES, SCORES], ct.target.iOS16)
    assert (indices.tolist(), count.tolist()) == ([[0, -1]], [1])


def test_equal_scores_are_refused(evaluate):
    with pytest.raises(UnsupportedOperatorError, match="does not document which comes first"):
        evaluate(before_ios17(0.0, 2), [BOXES, np.ones_like(SCORES)], ct.target.iOS16)


def test_several_images_of_random_boxes(evaluate):
    generator = np.random.default_rng(0)
    boxes = generator.random((3, 60, 4), dtype=np.float32)
    scores = generator.permutation(180).reshape(3, 60, 1).astype(np.float32)
    *_, indices, count = evaluate(before_ios17(20.0, 50), [boxes, scores], ct.target.iOS16)
    for image in range(3):
        kept: list[int] = []
        for index in np.argsort(-scores[image, :, 0]):
            if scores[image, index, 0] >= 20 and all(
                overlap(boxes[image, index], boxes[image, other]) <= 0.5 for other in kept
            ):
                kept.append(int(index))
        assert len(kept) > 10
        assert indices[image, : count[image]].tolist() == kept


def overlap(box, other):
    sides = []
    for axis in (0, 1):
        low = max(b[axis] - b[axis + 2] / 2 for b in (box, other))
        high = min(b[axis] + b[axis + 2] / 2 for b in (box, other))
        sides.append(max(high - low, 0))
    common = sides[0] * sides[1]
    return common / (box[2] * box[3] + other[2] * other[3] - common)
