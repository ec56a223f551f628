"""Running an artifact on pictures, and what a person wants to see of each: `Picture`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affnet.artifact import Artifact
from affnet.errors import UsageError
from affnet.evaluation.datasets import LabelledImage
from affnet.evaluation.detections import Detections, decode_detections, softmax
from affnet.evaluation.drawing import class_name, draw_detections, legible, overlay_classes
from affnet.evaluation.predictors import as_input
from affnet.evaluation.preprocessing import Preprocessing, to_rgb
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
            f"{artifact.path} was not exported from a network of affnet, so that it is not known "
            "what it makes of a picture."
        )
    images = [to_rgb(LabelledImage(path, 0).open()) for path in paths]
    session = runtime_for(manifest.format).load(artifact.path, threads=1)
    pictures = []
    for path, image in zip(paths, images, strict=True):
        show(f"Running {artifact.path.name} on {path.name}")
        pictures.append(_LOOKS[manifest.task](artifact, session, path, image, threshold))
    return pictures


def run_whole(artifact: Artifact, session: Session, image: Image.Image) -> list[NDArray[Any]]:
    """Return the outputs for a whole picture, brought to the network's size."""
    spec = artifact.manifest.inputs[0]
    height, width = spec.image_size()
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    return session.run(as_input(pixels.transpose(2, 0, 1)[None] / np.float32(255), spec))


def class_map(outputs: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Return the class of each pixel, H x W, whether the file gives scores or classes."""
    (output,) = outputs
    classes = output[0].argmax(axis=0) if output.ndim == 4 else output[0]
    return np.asarray(classes, np.int64)


def found_objects(artifact: Artifact, outputs: Sequence[NDArray[Any]]) -> Detections:
    """Return what a detection network found, whether or not the suppression is in the file."""
    by_name = dict(zip((o.name for o in artifact.manifest.outputs), outputs, strict=True))
    if "classes" not in by_name:
        return decode_detections(by_name["scores"][0], by_name["boxes"][0])
    scores = by_name["scores"][0]
    real = scores > 0  # the others fill the file's fixed number
    classes = by_name["classes"][0].astype(np.int64)
    return Detections(by_name["boxes"][0][real], scores[real], classes[real])


def _classify(
    artifact: Artifact, session: Session, path: Path, image: Image.Image, _: float
) -> Picture:
    manifest = artifact.manifest
    spec = manifest.inputs[0]
    pixels = Preprocessing(spec.image_size())(image)
    (logits,) = session.run(as_input(pixels[None], spec))
    probabilities = softmax(np.asarray(logits[0], np.float32))
    best = np.argsort(-probabilities, kind="stable")[:_TOP]
    classes = tuple(
        {"label": class_name(int(i), manifest.labels), "score": float(probabilities[i])}
        for i in best
    )
    return Picture(path, None, classes)


def _segment(
    artifact: Artifact, session: Session, path: Path, image: Image.Image, _: float
) -> Picture:
    labels = artifact.manifest.labels
    classes = class_map(run_whole(artifact, session, image))
    found, counts = np.unique(classes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shares = tuple(
        {
            "label": class_name(int(found[i]), labels),
            "share": float(counts[i] / classes.size),
        }
        for i in order
    )
    return Picture(path, overlay_classes(legible(image), classes, labels), shares)


def _detect(
    artifact: Artifact, session: Session, path: Path, image: Image.Image, threshold: float
) -> Picture:
    labels = artifact.manifest.labels
    found = found_objects(artifact, run_whole(artifact, session, image))
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


_LOOKS: dict[str, Callable[[Artifact, Session, Path, Image.Image, float], Picture]] = {
    "classification": _classify,
    "segmentation": _segment,
    "detection": _detect,
}
