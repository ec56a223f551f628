"""When a comparison of accuracies says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from affnet.export.quantization.accuracy import Accuracy, compare_accuracy
from affnet.export.quantization.calibration import Calibration
from affnet.export.reporting.artifact import precision_fields


@pytest.mark.parametrize(
    ("images", "right", "classes", "at_chance"),
    [
        (37, 1, 37, True),
        (37, 0, 1000, True),
        (37, 1, 1000, True),  # happens by chance in one of 27 such folders
        (37, 2, 1000, False),
        (200, 20, 10, True),
        (200, 40, 10, False),
        (200, 190, 10, False),
        (20, 20, None, False),  # PyTorch's own classes count
    ],
)
def test_chance(images: int, right: int, classes: int | None, at_chance: bool) -> None:
    assert Accuracy(images, right, right, classes).at_chance is at_chance


def test_the_classes_are_counted_where_they_are_known() -> None:
    logits = np.eye(3, dtype=np.float32)
    pictures = np.zeros((3, 3, 1, 1), np.float32)
    known = Calibration(pictures, np.arange(3), "")
    assert compare_accuracy(logits, logits, known) == Accuracy(3, 3, 3, 3)
    assert compare_accuracy(logits, logits, Calibration(pictures, None, "")) == Accuracy(3, 3, 3)


def test_a_manifest_of_before_is_printed_too() -> None:
    details = {
        "judged_on": "200 images of x", "top1": 0.5, "top1_pytorch": 0.51, "accuracy_drop": 1.0,
        "max_accuracy_drop": 1.0,
    }  # fmt: skip
    assert precision_fields(details) == {
        "accuracy": "top-1 50.0 % (PyTorch 51.0 %) of 200 images of x (1 point may be lost)"
    }
    unknown = {**details, "right": 100, "right_pytorch": 200, "classes_known": False}
    assert precision_fields(unknown) == {
        "accuracy": "PyTorch's class in 50.0 %, 100 of 200 images of x (1 point may be lost)"
    }
