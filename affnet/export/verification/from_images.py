"""From a picture's file to its class: an artifact by its manifest, PyTorch as it was trained.

Pixels are compared before anything runs: those that the manifest states with those of the
published evaluation, written once more here, so that a manifest that states others is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affnet.artifact import Artifact
from affnet.errors import DatasetError, UsageError
from affnet.evaluation.classifiers import Classifier
from affnet.evaluation.datasets import SUFFIXES, CorruptImageError, LabelledImage
from affnet.evaluation.resizers import Resizer, other_resizers
from affnet.model.source import Source
from affnet.parity import TOLERANCES
from affnet.preprocessing import Preprocessing, to_rgb

_BATCH = 64


@dataclass(frozen=True)
class ImageParity:
    """One picture."""

    image: str  # below the folder
    pixel_difference: int  # the largest between the manifest's pixels and those of training, 0..255
    max_rel_error: float  # of the logits: largest difference over the largest of PyTorch's
    label: int  # the file's class
    label_pytorch: int


@dataclass(frozen=True)
class ResizerCost:
    """What another way to resize would change."""

    resizer: str
    mean_difference: float  # of the pixels' values, 0..255
    changed: float  # share of the pictures that get another class than by the manifest, 0..1
    top1_change: float | None  # in points, where the folder's names say the classes


@dataclass(frozen=True)
class FromImages:
    """All pictures of a folder."""

    images: tuple[ImageParity, ...]
    skipped: tuple[str, ...]  # what could not be decoded, a sentence each
    top1: float | None  # 0..1 of the file
    costs: tuple[ResizerCost, ...]
    tolerance: float  # of max_rel_error

    @property
    def passed(self) -> bool:
        """Whether all pixels are those of training, and the logits within the tolerance."""
        return all(
            one.pixel_difference == 0 and one.max_rel_error <= self.tolerance for one in self.images
        )


@dataclass
class _Tally:
    """What one resizer did to all pictures so far."""

    classes: list[int]
    differences: list[float]


def verify_from_images(
    artifact: Artifact,
    source: Source,
    folder: Path,
    show: Callable[[str], None] = lambda _: None,
) -> FromImages:
    """Compare picture by picture, and measure what other resizers would cost.

    Raises:
        UsageError: the artifact is no classifier of pictures.
        DatasetError: the folder holds no picture that can be decoded.
        AffnetError: as `affnet.runtimes.Runtime.load`.
    """
    if artifact.manifest.task != "classification":
        raise UsageError(
            f"{artifact.path} is a network for {artifact.manifest.task}; --from-images compares "
            "classifiers."
        )
    contract, paths = artifact.pixel_contract(), _pictures_in(folder)
    if contract.picture is not None:
        raise UsageError(
            f"{artifact.path} resizes pictures itself; --from-images compares what is done outside "
            "of a file."
        )
    predict = Classifier.of_artifact(artifact, threads=1).predict
    reference = Classifier.of_source(source).predict
    resizers = other_resizers(contract)
    tallies = [_Tally([], []) for _ in resizers]
    images: list[ImageParity] = []
    skipped: list[str] = []
    for start in range(0, len(paths), _BATCH):
        batch = _decoded(paths[start : start + _BATCH], skipped)
        if not batch:
            continue
        own = np.stack([contract.pixels(image) for _, image in batch])
        trained = np.stack([_trained_pixels(image, contract.crop) for _, image in batch])
        names = [str(path.relative_to(folder)) for path, _ in batch]
        logits, expected = predict(_values(own, contract)), reference(_in_0_to_1(trained))
        images += _compared(names, own, trained, logits, expected)
        for resizer, tally in zip(resizers, tallies, strict=True):
            pixels = np.stack([resizer.pixels(image, contract) for _, image in batch])
            same = np.array_equal(pixels, own)  # nothing was resized
            found = logits if same else predict(_values(pixels, contract))
            tally.classes += found.argmax(axis=1).tolist()
            tally.differences += np.abs(pixels.astype(int) - own).mean(axis=(1, 2, 3)).tolist()
        show(f"Compared {len(images)} of {len(paths)} pictures")
    if not images:
        raise DatasetError(f"{folder} holds no image that can be decoded.")
    truth = _truth(images, artifact.manifest.labels)
    costs = [
        _cost(resizer, tally, images, truth)
        for resizer, tally in zip(resizers, tallies, strict=True)
    ]
    top1 = _share(truth, [one.label for one in images]) if truth else None
    tolerance = TOLERANCES[artifact.manifest.precision].max_rel_error
    return FromImages(tuple(images), tuple(skipped), top1, tuple(costs), tolerance)


def _pictures_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder of pictures.")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if path.is_file())


def _decoded(paths: list[Path], skipped: list[str]) -> list[tuple[Path, Image.Image]]:
    found = []
    for path in paths:
        try:
            found.append((path, LabelledImage(path, 0).open()))
        except CorruptImageError as error:
            skipped.append(str(error))
    return found


def _trained_pixels(image: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return what the published evaluation cuts out: of 9/8 of the size, bicubic, by Pillow."""
    picture, wanted = to_rgb(image), [round(side * 9 / 8) for side in size]
    factor = max(wanted[0] / picture.height, wanted[1] / picture.width)
    width = max(wanted[1], round(factor * picture.width))
    height = max(wanted[0], round(factor * picture.height))
    left, top = (width - size[1]) // 2, (height - size[0]) // 2
    enlarged = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(enlarged.crop((left, top, left + size[1], top + size[0])))


def _in_0_to_1(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(pixels.transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def _values(pixels: NDArray[np.uint8], contract: Preprocessing) -> NDArray[np.float32]:
    return np.stack([contract.values(image) for image in pixels])


def _compared(
    names: list[str],
    own: NDArray[np.uint8],
    trained: NDArray[np.uint8],
    logits: NDArray[np.float32],
    expected: NDArray[np.float32],
) -> list[ImageParity]:
    differences = np.abs(own.astype(int) - trained).max(axis=(1, 2, 3))
    errors = np.abs(logits - expected).max(axis=1) / np.abs(expected).max(axis=1)
    return [
        ImageParity(name, int(difference), float(error), int(label), int(wanted))
        for name, difference, error, label, wanted in zip(
            names, differences, errors, logits.argmax(1), expected.argmax(1), strict=True
        )
    ]


def _truth(images: list[ImageParity], labels: tuple[str, ...] | None) -> list[int] | None:
    """Return the class of each picture where its folder is called like one, else None."""
    folders = [Path(one.image).parts[0] for one in images]
    if labels is None or not set(folders) <= set(labels):
        return None
    return [labels.index(name) for name in folders]


def _cost(
    resizer: Resizer, tally: _Tally, images: list[ImageParity], truth: list[int] | None
) -> ResizerCost:
    own = [one.label for one in images]
    change = 100 * (_share(truth, tally.classes) - _share(truth, own)) if truth else None
    changed = 1 - _share(own, tally.classes)
    return ResizerCost(resizer.name, float(np.mean(tally.differences)), changed, change)


def _share(expected: list[int], found: list[int]) -> float:
    return sum(a == b for a, b in zip(expected, found, strict=True)) / len(expected)
