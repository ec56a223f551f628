"""Detectors as Vision takes them: an ML program, then Core ML's model NonMaximumSuppression.

Vision gives objects of a class (``VNRecognizedObjectObservation``), and Xcode previews them, only
where such a model comes last; an operator inside an ML program does not do.  It keeps of each
anchor the best class only, which `affnet.export.converters.coreml.nms` does not.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from affnet.artifact import CONFIDENCE, COORDINATES
from affnet.detections import Suppression
from affnet.export.converters import ConversionRequest

_BEFORE = "raw_"  # with it begin the names of what the suppression takes
_IOU, _THRESHOLD = "iouThreshold", "confidenceThreshold"


class Rows(nn.Module):
    """A network without the axis of its batch, which Core ML's suppression does not take."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map 1 x 3 x H x W images to confidence, A x classes, and coordinates, A x 4."""
        return tuple(output[0] for output in self.network(x))


def program_request(request: ConversionRequest) -> ConversionRequest:
    """Return the request of the ML program before the suppression."""
    outputs = tuple(
        dataclasses.replace(one, name=_BEFORE + one.name, shape=one.shape[1:])
        for one in request.outputs
    )
    return dataclasses.replace(request, outputs=outputs)


def with_suppression(
    coremltools: Any, program: Any, request: ConversionRequest, folder: Path
) -> Any:
    """Return a pipeline of coremltools' ``program`` and the suppression, with the usual thresholds.

    The names of classes are those of ``request``, without the first one, the background's.
    """
    messages = coremltools.proto.Model_pb2
    first = program.get_spec()
    shapes = {one.name: one.static_shape() for one in program_request(request).outputs}
    for output in first.description.output:
        output.type.multiArrayType.shape[:] = shapes[output.name]
    last = messages.Model(specificationVersion=first.specificationVersion)
    _describe_suppression(last, first, request)
    whole = messages.Model(specificationVersion=first.specificationVersion)
    whole.pipeline.models.extend((first, last))
    whole.description.input.extend(first.description.input)
    whole.description.input.extend(last.description.input[len(shapes) :])
    whole.description.output.extend(last.description.output)
    path = folder / "pipeline.mlpackage"
    coremltools.utils.save_spec(whole, str(path), weights_dir=program.weights_dir)
    return coremltools.models.MLModel(str(path), skip_model_load=True)


def _describe_suppression(model: Any, program: Any, request: ConversionRequest) -> None:
    """Fill in the suppression: what it takes and gives, its thresholds, and the classes."""
    rule, suppression, described = Suppression(), model.nonMaximumSuppression, model.description
    described.input.extend(program.description.output)
    for name, meaning in ((_IOU, "more overlap"), (_THRESHOLD, "less confidence")):
        setting = described.input.add(name=name)
        setting.type.doubleType.SetInParent()
        setting.type.isOptional = True
        usual = rule.iou_threshold if name == _IOU else rule.score_threshold
        setting.shortDescription = f"Objects of {meaning} are dropped; {usual:g} if it is not given"
    for one in request.outputs:
        output = described.output.add(name=one.name)
        array = output.type.multiArrayType
        array.dataType = program.description.output[0].type.multiArrayType.dataType
        columns = int(one.shape[-1])
        for least, most in ((0, rule.detections), (columns, columns)):
            array.shapeRange.sizeRanges.add(lowerBound=least, upperBound=most)
    suppression.pickTop.perClass = True
    suppression.iouThreshold = rule.iou_threshold
    suppression.confidenceThreshold = rule.score_threshold
    suppression.stringClassLabels.vector.extend((request.labels or ())[1:])
    suppression.confidenceInputFeatureName = _BEFORE + CONFIDENCE
    suppression.coordinatesInputFeatureName = _BEFORE + COORDINATES
    suppression.iouThresholdInputFeatureName = _IOU
    suppression.confidenceThresholdInputFeatureName = _THRESHOLD
    suppression.confidenceOutputFeatureName = CONFIDENCE
    suppression.coordinatesOutputFeatureName = COORDINATES
