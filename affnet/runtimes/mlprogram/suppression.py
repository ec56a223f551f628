"""Core ML's model NonMaximumSuppression, written anew from its specification.

None of this is Apple's code, which is in Core ML alone.  The source is what Apple publishes of it,
the comments of ``NonMaximumSuppression.proto`` in coremltools: what falls below the confidence
threshold is discarded; of the rest the best box is kept, boxes that overlap it by more than the IOU
threshold are discarded, and so on; with ``pickTop.perClass`` only boxes of the same label do so,
which is the class of a box's highest confidence.  The rows that are kept are given whole, the best
first, zeros filling them up to as many as the output has at least.

The comments leave open: by what a box is sorted and cut off, taken here to be the highest
confidence of its row; which of equal ones comes first, here the first row; whether an IOU equal to
the threshold counts, here not, as they say that a threshold of 1 suppresses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.errors import ArtifactError, UsageError
from affnet.runtimes.mlprogram.boxes import corners_of, suppress

_SIDES = 4
_MOST_ROWS = 1 << 20  # no detector has as many; a file that says more may be damaged


@dataclass(frozen=True)
class Suppression:
    """A ``NonMaximumSuppression`` message, and the numbers of rows that its outputs may have."""

    confidence_input: str
    coordinates_input: str
    confidence_output: str
    coordinates_output: str
    iou_threshold: float
    confidence_threshold: float
    iou_input: str  # empty where the file's own threshold cannot be changed
    threshold_input: str
    per_class: bool
    labels: tuple[str | int, ...]
    least: int
    most: int | None  # None where there is no limit

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of the inputs that change thresholds."""
        return tuple(filter(None, (self.iou_input, self.threshold_input)))

    def apply(
        self,
        confidence: NDArray[np.float32],
        coordinates: NDArray[np.float32],
        settings: Mapping[str, Any],
    ) -> dict[str, NDArray[np.float32]]:
        """Return the rows that are kept of N x classes and N x 4, by the outputs' names.

        Raises:
            UsageError: a threshold in ``settings`` is out of its range.
            ArtifactError: the arrays have other shapes.
        """
        rows = len(confidence)
        if confidence.ndim != 2 or not confidence.size or coordinates.shape != (rows, _SIDES):
            raise ArtifactError(
                f"The suppression gets confidences of shape {confidence.shape} and coordinates of "
                f"{coordinates.shape}; it takes N x classes and N x {_SIDES}."
            )
        iou = _setting(settings, self.iou_input, self.iou_threshold, 1.0)
        threshold = _setting(settings, self.threshold_input, self.confidence_threshold, np.inf)
        best = confidence.max(axis=-1)
        order = np.argsort(-best, kind="stable")
        order = order[best[order] >= np.float32(threshold)]
        classes = confidence.argmax(axis=-1) if self.per_class else np.zeros(rows)
        most = rows if self.most is None else self.most
        kept = suppress(corners_of(coordinates), classes, order, iou, most)
        missing = max(0, self.least - len(kept))
        return {
            name: np.pad(np.asarray(array, np.float32)[kept], ((0, missing), (0, 0)))
            for name, array in (
                (self.confidence_output, confidence),
                (self.coordinates_output, coordinates),
            )
        }


def read_suppression(model: Any) -> Suppression:
    """Read a ``Model`` message of the kind NonMaximumSuppression.

    Raises:
        ArtifactError: it names outputs that it does not describe, or numbers of rows that are none.
    """
    message, described = model.nonMaximumSuppression, model.description
    outputs = {one.name: one.type.multiArrayType for one in described.output}
    names = message.confidenceOutputFeatureName, message.coordinatesOutputFeatureName
    if {*outputs} != {*names}:
        raise ArtifactError("The model is damaged: its suppression does not describe its outputs.")
    bounds = [_rows(outputs[name]) for name in names]
    least = max(low for low, _ in bounds)
    most = min((high for _, high in bounds if high is not None), default=None)
    if least > _MOST_ROWS or (most is not None and not least <= most <= _MOST_ROWS):
        raise ArtifactError("The model is damaged: its suppression keeps no number of rows.")
    labels = message.WhichOneof("ClassLabels")
    taken = {one.name for one in described.input}
    return Suppression(
        confidence_input=message.confidenceInputFeatureName,
        coordinates_input=message.coordinatesInputFeatureName,
        confidence_output=names[0],
        coordinates_output=names[1],
        iou_threshold=message.iouThreshold,
        confidence_threshold=message.confidenceThreshold,
        iou_input=_among(taken, message.iouThresholdInputFeatureName),
        threshold_input=_among(taken, message.confidenceThresholdInputFeatureName),
        per_class=message.pickTop.perClass,
        labels=tuple(getattr(message, labels).vector) if labels else (),
        least=least,
        most=most,
    )


def _among(taken: set[str], name: str) -> str:
    return name if name in taken else ""


def _rows(array: Any) -> tuple[int, int | None]:
    """Return how many rows an output has at least and at most."""
    if array.WhichOneof("ShapeFlexibility") == "shapeRange" and array.shapeRange.sizeRanges:
        rows = array.shapeRange.sizeRanges[0]
        return int(rows.lowerBound), None if rows.upperBound < 0 else int(rows.upperBound)
    return (int(array.shape[0]),) * 2 if array.shape else (0, None)


def _setting(settings: Mapping[str, Any], name: str, default: float, highest: float) -> float:
    if not name or name not in settings:
        return default
    value = np.asarray(settings[name])
    if value.size != 1 or value.dtype.kind not in "fiu" or not 0 <= float(value.item()) <= highest:
        limit = "0 to 1" if highest == 1 else "0 or more"
        raise UsageError(f"The input {name!r} takes a number of {limit}.")
    return float(value.item())
