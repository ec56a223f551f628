"""What a file's precision costs in accuracy, on the images that it is judged by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from affnet.export.precision.calibration import Calibration


def accuracy_drop(
    expected: NDArray[np.float32], actual: NDArray[np.float32], calibration: Calibration
) -> float:
    """Return how many points of top-1 accuracy ``actual`` is below ``expected``, 0 at least.

    Both are N x classes logits.  Where the true classes are unknown, those of ``expected`` count.
    """
    found, given = actual.argmax(axis=1), expected.argmax(axis=1)
    truth = given if calibration.labels is None else calibration.labels
    return max(0.0, 100 * float((given == truth).mean() - (found == truth).mean()))
