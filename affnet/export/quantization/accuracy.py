"""What a file's precision costs in accuracy, on the images that it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.export.quantization.calibration import Calibration

_GUESSED = 0.01  # how probable it may be that guessing gets so many right


@dataclass(frozen=True)
class Accuracy:
    """How many of the same images a file and PyTorch in float32 get right."""

    images: int
    right: int  # of the file
    right_pytorch: int
    classes: int | None = None  # None where the true ones are unknown, and PyTorch's count

    @property
    def at_chance(self) -> bool:
        """Whether guessing would get as many right as PyTorch does."""
        from scipy.stats import binom

        if self.classes is None:
            return False
        guessed = binom.sf(self.right_pytorch - 1, self.images, 1 / self.classes)
        return bool(guessed > _GUESSED)

    @property
    def top1(self) -> float:
        """The file's top-1 accuracy, 0..1."""
        return self.right / self.images

    @property
    def top1_pytorch(self) -> float:
        """PyTorch's top-1 accuracy, 0..1."""
        return self.right_pytorch / self.images

    @property
    def drop_points(self) -> float:
        """How many percentage points the file is below PyTorch, 0 at least.

        Of counts, not of shares: two of 200 images are 1 point, and hold a bound of 1.
        """
        return 100 * max(0, self.right_pytorch - self.right) / self.images


def compare_accuracy(
    expected: NDArray[np.float32], actual: NDArray[np.float32], calibration: Calibration
) -> Accuracy:
    """Return the accuracy of ``actual`` beside that of ``expected``, both N x classes logits.

    Where the true classes are unknown, those of ``expected`` count.
    """
    found, given = actual.argmax(axis=1), expected.argmax(axis=1)
    truth = given if calibration.labels is None else calibration.labels
    classes = None if calibration.labels is None else expected.shape[1]
    return Accuracy(len(truth), int((found == truth).sum()), int((given == truth).sum()), classes)


def accuracy_drop(
    expected: NDArray[np.float32], actual: NDArray[np.float32], calibration: Calibration
) -> float:
    """Return how many points of top-1 accuracy ``actual`` is below ``expected``, 0 at least."""
    return compare_accuracy(expected, actual, calibration).drop_points


def chance_warning(details: Mapping[str, Any]) -> str | None:
    """Return why a manifest's accuracy says nothing, in a sentence; None where it does."""
    if not details.get("at_chance"):
        return None
    return (
        f"PyTorch itself has the right class of {details['right_pytorch']} of "
        f"{details['judged_on']}, as guessing would, and so the accuracy bound says nothing of "
        "this file; check that the weights are trained, and that the folders of the images are "
        "the network's classes (--labels names them)."
    )
