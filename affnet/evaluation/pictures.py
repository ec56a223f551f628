"""Running an artifact on pictures, and what a person wants to see of each: `Picture`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from affnet.artifact import Artifact
from affnet.detections import Detections, softmax
from affnet.errors import UsageError
from affnet.evaluation.datasets import LabelledImage
from affnet.evaluation.dense import DenseSubject
from affnet.evaluation.drawing import (
    class_name,
    class_shares,
    draw_detections,
    legible,
    overlay_classes,
)
from affnet.layouts import as_input, from_output
from affnet.runtimes import Session, runtime_for

_TOP = 5


@dataclass(frozen=True)
class Picture:
    """What a network makes of one picture."""

    path: Path
    drawing: Image.Image | None  # of the picture's own size and more; None for classification
    classes: tuple[dict[str, Any], ...] = ()  # label, and score or share of the picture
    objects: tuple[dict[str, Any], ...] = field(default=())  # label, score and box in pixels


def look_at(
    artifact: Artifact,
    paths: Sequence[Path],
    threshold: float,
    show: Callable[[str], None] = lambda _: None,
) -> list[Picture]:
    """Run an artifact on pictures of any size.

    Classifiers see the centre, as in the published evaluation; the others the whole picture,
    brought to the network's size, whose results are brought back to the picture's own.

    Raises:
        UsageError: the artifact takes no images, or it is not known what its outputs mean.
        CorruptImageError: a file that is no picture or is damaged; nothing was run then.
        AffnetError: as `affnet.runtimes.Runtime.load`.
    """
    manifest = artifact.manifest
    if not manifest.inputs[0].is_image or manifest.task == "other":
        raise UsageError(
            f"{artifact.path} was not exported from a network of affnet, so that the meaning "
            "of its outputs is not known",
            "give its inputs as arrays: --input NAME=FILE.npy of affnet run.",
        )
    contract = artifact.pixel_contract()
    images = [contract.upright(LabelledImage(path, 0).open()) for path in paths]
    look = _looker(artifact, threshold)
    pictures = []
    for path, image in zip(paths, images, strict=True):
        show(f"Running {artifact.path.name} on {path.name}")
        pictures.append(look(path, image))
    return pictures


def _looker(artifact: Artifact, threshold: float) -> Callable[[Path, Image.Image], Picture]:
    """Load an artifact and return what looks at a picture in RGB."""
    manifest = artifact.manifest
    if manifest.task == "classification":
        session = runtime_for(manifest.format).load(artifact.path, threads=1)
        return lambda path, image: _classify(artifact, session, path, image)
    subject = DenseSubject.of_artifact(artifact)
    if manifest.task == "segmentation":
        return lambda path, image: _segment(subject, path, image)
    return lambda path, image: _detect(subject, path, image, threshold)


def _classify(artifact: Artifact, session: Session, path: Path, image: Image.Image) -> Picture:
    manifest = artifact.manifest
    spec = manifest.inputs[0]
    pixels = artifact.pixel_contract()(image)
    (given,) = session.run(as_input(pixels[None], spec))
    scores = np.asarray(from_output(given, manifest.outputs[0])[0], np.float32)
    probabilities = scores if manifest.gives_probabilities else softmax(scores)
    best = np.argsort(-probabilities, kind="stable")[:_TOP]
    classes = tuple(
        {"label": class_name(int(i), manifest.labels), "score": float(probabilities[i])}
        for i in best
    )
    return Picture(path, None, classes)


def _segment(subject: DenseSubject, path: Path, image: Image.Image) -> Picture:
    labels, classes = subject.labels, subject.class_map(image)
    shares = tuple(
        {"label": class_name(index, labels), "share": share}
        for index, share in class_shares(classes)
    )
    return Picture(path, overlay_classes(legible(image), classes, labels), shares)


def _detect(subject: DenseSubject, path: Path, image: Image.Image, threshold: float) -> Picture:
    labels, found = subject.labels, subject.objects(image)
    sure = found.scores >= threshold
    found = Detections(found.boxes[sure], found.scores[sure], found.classes[sure])
    sides = np.array((*image.size, *image.size))
    objects = tuple(
        {
            "label": class_name(int(label), labels),
            "score": float(score),
            "box": [round(float(side), 1) for side in np.clip(box, 0, 1) * sides],
        }
        for box, score, label in zip(found.boxes, found.scores, found.classes, strict=True)
    )
    return Picture(path, draw_detections(legible(image), found, labels), objects=objects)
