"""What follows a network inside the file: probabilities, pixels' classes, or suppressed boxes.

::

    softmax     logits, B x K          ->  probabilities, B x K
    classifier  the same, by class name, of a picture: Core ML's classifiers
    argmax      scores, B x K x H x W  ->  classes, B x H x W
    anchors     scores, boxes          ->  centers and probabilities of each anchor
    nms         scores, boxes          ->  boxes, scores, classes of the best detections
    detector    scores, boxes          ->  confidence and coordinates of the best detections, of a
                                           picture: Core ML's detectors
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from affnet.artifact import CENTERS, CONFIDENCE, COORDINATES, PROBABILITIES, TensorSpec
from affnet.detections import Suppression, decode_detections
from affnet.errors import LabelsError, UnknownNameError, UsageError
from affnet.model.dense.base import DenseNetwork
from affnet.model.source import Source

#: The task of the networks that a head follows.
TASK_OF = {
    "softmax": "classification",
    "classifier": "classification",
    "argmax": "segmentation",
    "anchors": "detection",
    "nms": "detection",
    "detector": "detection",
}
#: The network's own outputs, where a format would put a head behind them.
NO_HEAD = "logits"
#: What ``--head`` takes.
HEADS = (NO_HEAD, *TASK_OF)
#: Heads that take several images at a time.
OF_BATCHES = (NO_HEAD, "softmax")
#: Heads of files that say names, and that Vision hands pictures over to as they are.
BY_NAME = ("classifier", "detector")


class Probabilities(nn.Module):
    """A classifier that gives the probability of each class, B x K."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W images to probabilities that add up to 1."""
        return self.follow(self.network(x))

    def follow(self, logits: Tensor) -> Tensor:
        """Map what the network gives to probabilities."""
        return torch.softmax(logits, dim=-1)


class ByName(Probabilities):
    """A classifier whose file tells probabilities by class name."""


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


class AnchorBoxes(DenseNetwork):
    """A detection network that leaves the suppression to MediaPipe, in the form that it decodes.

    Centers are y, x, height and width as fractions of the image; the background has no column.
    """

    task = "detection"

    def __init__(self, network: DenseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map B x 3 x H x W images to B x A x 4 centers and B x A x (K - 1) probabilities."""
        return self.follow(*self.network(x))

    def follow(self, scores: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Map what the network gives to centers and probabilities."""
        x, y, width, height = _center_and_size(boxes)
        return torch.cat((y, x, height, width), dim=-1), torch.softmax(scores, dim=-1)[..., 1:]

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """See `DenseNetwork.output_specs`."""
        scores, boxes = self.network.output_specs(height, width)
        batch, anchors, classes = scores.static_shape()
        shape = (batch, anchors, classes - 1)
        return (
            dataclasses.replace(boxes, name=CENTERS),
            dataclasses.replace(scores, name=PROBABILITIES, shape=shape),
        )


class VisionBoxes(AnchorBoxes):
    """A detection network that leaves the suppression to Core ML, in the form that it takes.

    A file gives less: of each output the rows that the suppression keeps, see `kept`.
    """

    def follow(self, scores: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Map what the network gives to confidence, and to x, y, width and height."""
        coordinates = torch.cat(_center_and_size(boxes), dim=-1)
        return torch.softmax(scores, dim=-1)[..., 1:], coordinates

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """See `DenseNetwork.output_specs`."""
        centers, probabilities = super().output_specs(height, width)
        return (
            dataclasses.replace(probabilities, name=CONFIDENCE),
            dataclasses.replace(centers, name=COORDINATES),
        )

    @staticmethod
    def kept(outputs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        """Return the specs of a file's outputs, filled with zeros to the most that are kept."""
        count = Suppression().detections
        return tuple(dataclasses.replace(one, shape=(1, count, *one.shape[2:])) for one in outputs)


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


def _center_and_size(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x, y, width and height of boxes given by their sides."""
    left, top, right, bottom = torch.split(boxes, 1, dim=-1)
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


_DENSE: dict[str, type[ClassMap | AnchorBoxes | Detector]] = {
    "argmax": ClassMap,
    "anchors": AnchorBoxes,
    "nms": Detector,
    "detector": VisionBoxes,
}


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
    """Return ``source`` with a head after its network; itself if that is None or `NO_HEAD`.

    Raises:
        UsageError: the head is unknown, or one for another task.
        LabelsError: it gives names, and classes have none, or several the same.
    """
    if head in (None, NO_HEAD):
        return source
    if head not in HEADS:
        raise UnknownNameError("head", head, HEADS)
    task = TASK_OF[head]
    if source.task != task:
        raise UsageError(
            f"--head {head} is for {task} networks; {source.name} is one for {source.task}."
        )
    if head in BY_NAME:
        _check_names(source, head)
    if not isinstance(source.model, DenseNetwork):
        (logits,) = source.outputs
        given = dataclasses.replace(logits, name=PROBABILITIES)
        follows = ByName if head == "classifier" else Probabilities
        return dataclasses.replace(source, model=follows(source.model).eval(), outputs=(given,))
    model = _DENSE[head](source.model).eval()
    outputs = model.output_specs(*source.input.image_size())
    return dataclasses.replace(source, model=model, outputs=outputs)


def _check_names(source: Source, head: str) -> None:
    labels = source.labels
    if labels is None:
        if head == "classifier":  # numbers do
            return
        raise LabelsError(
            f"--head {head} gives objects by name, and the classes of {source.name} have no names",
            "name them, the background first, with --labels FILE.",
        )
    if len({*labels}) < len(labels):
        twice = next(one for one in labels if labels.count(one) > 1)
        raise LabelsError(
            f"--head {head} gives classes by name, and {twice!r} is the name of several",
            "give each class a name of its own with --labels.",
        )
