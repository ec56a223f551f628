"""From scores and boxes to detections."""

from __future__ import annotations

import numpy as np
import pytest

from affnet.detections import Suppression, decode_detections, softmax, suppress


def boxes(*values: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_dropped_box_drops_no_other() -> None:
    chain = boxes((0, 0, 1, 1), (0.3, 0, 1.3, 1), (0.6, 0, 1.6, 1))  # neighbours overlap by 0.54
    assert suppress(chain, 0.5).tolist() == [0, 2]


def test_an_overlap_of_just_the_threshold_is_kept() -> None:
    halves = boxes((0, 0, 2, 1), (0, 0, 1, 1))
    assert suppress(halves, 0.5).tolist() == [0, 1]
    assert suppress(halves, 0.49).tolist() == [0]


def test_empty_boxes_overlap_nothing() -> None:
    assert suppress(boxes((0, 0, 0, 0), (0, 0, 0, 0)), 0.5).tolist() == [0, 1]


def test_classes_are_suppressed_apart_and_the_background_is_no_object() -> None:
    scores = np.array([[0, 3, 3], [3, 2.9, -9], [9, 0, 0]], np.float32)
    found = decode_detections(scores, boxes((0, 0, 1, 1), (0, 0, 1, 1), (2, 2, 3, 3)))
    assert found.classes.tolist() == [1, 2]
    assert found.scores == pytest.approx(softmax(scores)[0, 1:])


def test_numbers_and_thresholds_limit_what_is_found() -> None:
    scores = np.zeros((4, 2), np.float32)
    scores[:, 1] = (3, 1, 2, -9)
    apart = boxes(*((x, 0, x + 1, 1) for x in range(4)))
    assert decode_detections(scores, apart).boxes[:, 0].tolist() == [0, 2, 1]
    two = decode_detections(scores, apart, Suppression(candidates=2))
    assert two.boxes[:, 0].tolist() == [0, 2]
    assert len(decode_detections(scores, apart, Suppression(detections=1))) == 1


def test_of_equal_scores_the_lower_class_then_the_lower_anchor_comes_first() -> None:
    scores = np.tile(np.array([0, 1, 1], np.float32), (2, 1))
    found = decode_detections(scores, boxes((0, 0, 1, 1), (2, 2, 3, 3)))
    assert found.classes.tolist() == [1, 1, 2, 2]
    assert found.boxes[:, 0].tolist() == [0, 2, 0, 2]
