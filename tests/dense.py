"""Dense networks whose answer is known: by colour, or fixed boxes; exported in a second."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from affnet.artifact import Artifact, Provenance, TensorSpec, image_spec
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.dense.base import DenseNetwork
from affnet.model.dense.deeplabv3 import scores_spec
from affnet.model.dense.labels import labels_by_count
from affnet.model.source import Source

CAT, DOG, PERSON = 8, 12, 15  # of Pascal VOC
HORSE, CAR = 18, 3  # of COCO
SIZE = 64
#: Two horses that overlap, the first the better, and a car.
BOXES = ((0.1, 0.1, 0.4, 0.6), (0.12, 0.1, 0.41, 0.6), (0.6, 0.5, 1.0, 1.0))


class Colours(DenseNetwork):
    """Red is a cat, green a dog, blue a person, and what is dark the background."""

    task = "segmentation"
    DEFAULT_SIZE = (SIZE, SIZE)
    num_classes = 21

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, self.num_classes, 1)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.bias.fill_(-1)
            self.conv.bias[0] = 0.5
            for channel, label in enumerate((CAT, DOG, PERSON)):
                self.conv.weight[label, channel] = 1
                self.conv.bias[label] = 0

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        return (scores_spec(self.num_classes, height, width),)


class FixedBoxes(DenseNetwork):
    """Finds `BOXES` in every image."""

    task = "detection"
    DEFAULT_SIZE = (SIZE, SIZE)
    num_classes = 81

    def __init__(self) -> None:
        super().__init__()
        scores = torch.zeros(1, len(BOXES), self.num_classes)
        scores[0, 0, HORSE], scores[0, 1, HORSE], scores[0, 2, CAR] = 12, 11, 13
        self.register_buffer("scores", scores)
        self.register_buffer("boxes", torch.tensor([BOXES]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        little = x.mean() * 1e-3  # so that the outputs depend on the input; no probability does
        return self.scores + little, self.boxes + 0 * little

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        return (
            TensorSpec("scores", (1, len(BOXES), self.num_classes), "float32", class_axis=2),
            TensorSpec("boxes", (1, len(BOXES), 4), "float32"),
        )


def dense_source(model: DenseNetwork) -> Source:
    """Return a network as a source named by its task."""
    usual = labels_by_count(model.task, model.num_classes)
    return Source(
        model=model.eval(),
        name=model.task,
        provenance=Provenance("variant", model.task, "trained", None, {}),
        inputs=(image_spec(*model.DEFAULT_SIZE),),
        outputs=model.output_specs(*model.DEFAULT_SIZE),
        labels=usual[1] if usual else None,
        published=None,
        notes=(),
        task=model.task,
    )


def exported(model: DenseNetwork, folder: Path) -> Artifact:
    """Return a network as a program of torch.export."""
    return export_artifact(dense_source(model), ExportOptions("torch"), folder)
