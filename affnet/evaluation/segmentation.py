"""Mean intersection over union of a segmentation network on pictures and masks.

A data set is a folder with ``images/`` and ``masks/``; the mask of ``images/NAME.jpg`` is
``masks/NAME.png``, of the same size, and holds the class of each pixel, 255 where none counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affnet.errors import DatasetError
from affnet.evaluation.datasets import SUFFIXES, LabelledImage
from affnet.evaluation.dense import DenseSubject
from affnet.evaluation.drawing import class_name

IMAGES, MASKS = "images", "masks"
_IGNORED = 255
_MASK_MODES = ("L", "P", "I", "I;16")


@dataclass(frozen=True)
class SegmentationAccuracy:
    """How well classes fit."""

    images: int
    miou: float  # 0..1, over the classes that occur in a mask or a prediction
    pixel_accuracy: float  # 0..1
    iou: dict[str, float]  # by class


def open_masks(folder: Path, limit: int | None = None) -> list[tuple[Path, Path]]:
    """Return pictures with their masks, in the order of their names.

    Raises:
        DatasetError: a picture without a mask, or a mask without a picture, or none at all.
    """
    images, masks = (
        {path.stem: path for path in sorted((folder / name).iterdir()) if _is_image(path)}
        for name in (IMAGES, MASKS)
    )
    if not images:
        raise DatasetError(f"{folder / IMAGES} holds no pictures.")
    for here, there, name, kind in (
        (images, masks, MASKS, "mask"),
        (masks, images, IMAGES, "picture"),
    ):
        if missing := sorted(here.keys() - there.keys()):
            raise DatasetError(
                f"{folder} does not match: {len(missing)} of {len(here)} files have no {kind} of "
                f"the same name in {name}/, {here[missing[0]].name} first."
            )
    pairs = [(path, masks[stem]) for stem, path in images.items()]
    if limit is None or limit >= len(pairs):
        return pairs
    chosen = np.random.default_rng(0).permutation(len(pairs))[:limit]
    return [pairs[index] for index in sorted(chosen)]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def segment(
    subject: DenseSubject,
    pairs: list[tuple[Path, Path]],
    show: Callable[[str], None] = lambda _: None,
) -> SegmentationAccuracy:
    """Compare each pixel's class with the mask's, at the mask's size.

    Raises:
        CorruptImageError: a file that cannot be decoded.
        DatasetError: a mask of another size than its picture, in colours, or with classes that
            the network does not have.
    """
    classes = subject.num_classes or _IGNORED
    confusion = np.zeros((classes, classes), np.int64)  # of the mask's class, the predicted class
    for number, (path, mask_path) in enumerate(pairs, start=1):
        image = LabelledImage(path, 0).open()
        mask = read_mask(mask_path, image, classes)
        picture = subject.preprocessing.upright(image)
        predicted = Image.fromarray(subject.class_map(picture).astype(np.int32))
        scaled = np.asarray(predicted.resize(image.size, Image.Resampling.NEAREST))
        counted = mask != _IGNORED
        cells = mask[counted].astype(np.int64) * classes + scaled[counted]
        confusion += np.bincount(cells, minlength=classes**2).reshape(classes, classes)
        show(f"Segmented {number} of {len(pairs)} pictures")
    if not confusion.any():
        raise DatasetError("No mask has a pixel that counts: all are 255.")
    hits = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    present = np.flatnonzero(union)
    shares = hits[present] / union[present]
    return SegmentationAccuracy(
        images=len(pairs),
        miou=float(shares.mean()),
        pixel_accuracy=float(hits.sum() / confusion.sum()),
        iou={
            class_name(int(i), subject.labels): float(share)
            for i, share in zip(present, shares, strict=True)
        },
    )


def read_mask(path: Path, image: Image.Image, classes: int) -> NDArray[np.int64]:
    """Return the class of each pixel of ``image``; see `segment` for what is raised."""
    mask = LabelledImage(path, 0).open()
    if mask.mode not in _MASK_MODES:
        raise DatasetError(
            f"{path} is a color image ({mask.mode})",
            "write masks in gray or with a palette, the number of a class in each pixel.",
        )
    if mask.size != image.size:
        raise DatasetError(
            f"{path} has {mask.width}x{mask.height} pixels and its picture "
            f"{image.width}x{image.height} (width first)."
        )
    values = np.asarray(mask, np.int64)
    strange = values[(values >= classes) & (values != _IGNORED)]
    if strange.size:
        raise DatasetError(
            f"{path} has the class {strange[0]}, but the network has {classes} classes, 0 to "
            f"{classes - 1}",
            "write 255 where a pixel is to be ignored (masks of ADE20K count from 1: subtract 1, "
            "and write 255 for 0).",
        )
    return values
