"""What a file's precision costs in accuracy, on the images that it is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affnet.export.precision.calibration import Calibration


@dataclass(frozen=True)
class Accuracy:
    """Top-1 accuracy on the same images, as shares from 0 to 1."""

    top1: float  # of a file
    reference: float  # of PyTorch in float32

    @property
    def drop_points(self) -> float:
        """How many percentage points the file is below PyTorch, 0 at least."""
        return max(0.0, 100 * (self.reference - self.top1))


def compare_accuracy(
    expected: NDArray[np.float32], actual: NDArray[np.float32], calibration: Calibration
) -> Accuracy:
    """Return the accuracy of ``actual`` beside that of ``expected``, both N x classes logits.

    Where the true classes are unknown, those of ``expected`` count.
    """
    found, given = actual.argmax(axis=1), expected.argmax(axis=1)
    truth = given if calibration.labels is None else calibration.labels
    return Accuracy(float((found == truth).mean()), float((given == truth).mean()))


def accuracy_drop(
    expected: NDArray[np.float32], actual: NDArray[np.float32], calibration: Calibration
) -> float:
    """Return how many points of top-1 accuracy ``actual`` is below ``expected``, 0 at least."""
    return compare_accuracy(expected, actual, calibration).drop_points
