"""What follows a dense network inside the file: each pixel's class, or the suppression of boxes.

::

    argmax    scores, B x K x H x W  ->  classes, B x H x W
    nms       scores, boxes          ->  boxes, scores, classes of the best detections
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from affnet.artifact import TensorSpec
from affnet.errors import UnknownNameError, UsageError
from affnet.evaluation.detections import Suppression, decode_detections
from affnet.model.dense.base import DenseNetwork
from affnet.model.source import Source

_TASKS = {"argmax": "segmentation", "nms": "detection"}
#: What ``--head`` takes.
HEADS = tuple(_TASKS)


class ClassMap(DenseNetwork):
    """A segmentation network that gives the class of each pixel, B x H x W of int32."""

    task = "segmentation"

    def __init__(self, network: DenseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W images to B x H x W classes."""
        classes: Tensor = self.network(x).argmax(dim=1).to(torch.int32)
        return classes

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """See `DenseNetwork.output_specs`."""
        return (TensorSpec("classes", (1, height, width), "int32"),)


class Detector(DenseNetwork):
    """A detection network that gives its best detections, filled with scores of 0.

    In PyTorch they come from the decoder in numpy, which is what files are compared with; a
    converter takes ``network`` and writes the suppression itself.
    """

    task = "detection"

    def __init__(self, network: DenseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map 1 x 3 x H x W images to boxes, scores and classes; see `output_specs`."""
        return decode(*self.network(x))

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """See `DenseNetwork.output_specs`."""
        count = Suppression().detections
        return (
            TensorSpec("boxes", (1, count, 4), "float32"),
            TensorSpec("scores", (1, count), "float32"),
            TensorSpec("classes", (1, count), "int32"),
        )


def decode(scores: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return boxes, scores and classes of one image; see `Detector`."""
    found = decode_detections(scores[0].numpy(), boxes[0].numpy())
    missing = Suppression().detections - len(found)
    return (
        torch.from_numpy(np.pad(found.boxes, ((0, missing), (0, 0))))[None],
        torch.from_numpy(np.pad(found.scores, (0, missing)))[None],
        torch.from_numpy(np.pad(found.classes, (0, missing)).astype(np.int32))[None],
    )


def with_head(source: Source, head: str | None) -> Source:
    """Return ``source`` with a head after its network; itself if that is None.

    Raises:
        UsageError: the head is unknown, or one for another task.
    """
    if head is None:
        return source
    if head not in HEADS:
        raise UnknownNameError("head", head, HEADS)
    if source.task != _TASKS[head] or not isinstance(source.model, DenseNetwork):
        raise UsageError(
            f"--head {head} is for {_TASKS[head]} networks; {source.name} is one for {source.task}."
        )
    model = (ClassMap if head == "argmax" else Detector)(source.model).eval()
    outputs = model.output_specs(*source.input.image_size())
    return dataclasses.replace(source, model=model, outputs=outputs)
