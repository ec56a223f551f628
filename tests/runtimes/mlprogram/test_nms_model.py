"""Core ML's NonMaximumSuppression as its specification states it, on boxes told by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from affnet.errors import ArtifactError, UsageError
from affnet.runtimes.mlprogram.suppression import Suppression

#: Of two classes: a cat, a cat beside it, a dog on the first, and what is nothing.
CONFIDENCE = np.array([[0.6, 0.1], [0.5, 0.3], [0.1, 0.7], [0.05, 0.02]], np.float32)
#: Center, width, height; the overlap of the first with the others: 0.6, 1, 0.
COORDINATES = np.array(
    [[0.4, 0.4, 0.4, 0.4], [0.5, 0.4, 0.4, 0.4], [0.4, 0.4, 0.4, 0.4], [0.9, 0.9, 0.1, 0.1]],
    np.float32,
)


def suppression(**changes) -> Suppression:
    usual = Suppression(
        confidence_input="raw_confidence",
        coordinates_input="raw_coordinates",
        confidence_output="confidence",
        coordinates_output="coordinates",
        iou_threshold=0.5,
        confidence_threshold=0.1,
        iou_input="iouThreshold",
        threshold_input="confidenceThreshold",
        per_class=True,
        labels=("cat", "dog"),
        least=0,
        most=None,
    )
    return dataclasses.replace(usual, **changes)


def kept(settings=None, **changes) -> list[int]:
    """Return which rows are kept, -1 for one of zeros."""
    found = suppression(**changes).apply(CONFIDENCE, COORDINATES, settings or {})
    rows = []
    for confidence, place in zip(found["confidence"], found["coordinates"], strict=True):
        (equal,) = np.nonzero((confidence == CONFIDENCE).all(axis=-1))
        if equal.size:
            np.testing.assert_array_equal(place, COORDINATES[equal[0]])
        else:
            assert not confidence.any()
            assert not place.any()
        rows.append(int(equal[0]) if equal.size else -1)
    return rows


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({}, [2, 0]),
        ({"per_class": False}, [2]),
        ({"iou_threshold": 0.7}, [2, 0, 1]),
        ({"iou_threshold": 1.0, "per_class": False}, [2, 0, 1]),  # suppresses nothing
        ({"confidence_threshold": 0.65}, [2]),
        ({"confidence_threshold": 0.0}, [2, 0, 3]),
        ({"most": 1}, [2]),
        ({"least": 4, "most": 4}, [2, 0, -1, -1]),
    ],
)
def test_the_best_row_drops_what_overlaps_it(changes, rows) -> None:
    assert kept(**changes) == rows


def test_an_overlap_of_the_threshold_is_no_reason() -> None:
    places = np.array([[0.5, 0.5, 1, 1], [0.5, 0.25, 1, 0.5]], np.float32)  # exactly a half
    found = suppression().apply(CONFIDENCE[:2], places, {})
    assert len(found["confidence"]) == 2


def test_inputs_stand_for_the_thresholds() -> None:
    assert kept({"iouThreshold": 0.7}) == [2, 0, 1]
    assert kept({"confidenceThreshold": np.array([0.65])}) == [2]
    assert kept({"iouThreshold": 0.7}, iou_input="") == [2, 0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iouThreshold": 1.5}, "'iouThreshold' takes a number of 0 to 1"),
        ({"iouThreshold": "a"}, "'iouThreshold' takes a number of 0 to 1"),
        ({"confidenceThreshold": -0.1}, "'confidenceThreshold' takes a number of 0 or more"),
        ({"confidenceThreshold": float("nan")}, "takes a number of 0 or more"),
    ],
)
def test_thresholds_out_of_range_are_refused(settings, message) -> None:
    with pytest.raises(UsageError, match=message):
        kept(settings)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ArtifactError, match=r"it takes N x classes and N x 4"):
        suppression().apply(CONFIDENCE, COORDINATES[:2], {})
