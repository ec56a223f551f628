"""Labelled images: a folder of one folder per class, as ImageNet lies on disk, or a bundled set."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from affnet.errors import DatasetError
from affnet.model.bundled import DATASETS, dataset_folder

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
#: A bigger picture is refused, so that a crafted file cannot take all memory.
MAX_PIXELS = 100_000_000
#: Of the sides: resized by the shorter one, a longer strip would take all memory, too.
MAX_RATIO = 250
_ANIMATIONS = ("GIF", "PNG", "WEBP", "AVIF")  # other formats hold several pictures of one scene


class CorruptImageError(DatasetError):
    """An image that cannot be decoded."""


@dataclass(frozen=True)
class LabelledImage:
    """A file and its class, an index of the data set's ``classes``."""

    path: Path
    label: int

    def open(self) -> Image.Image:
        """Decode the picture, whole.

        Raises:
            CorruptImageError: it is no picture, is cut off, or is absurdly large.
        """
        try:
            if self.path.exists() and not self.path.is_file():  # a pipe would be waited for
                raise CorruptImageError(f"{self.path} is no file.")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `_check` decides
                with Image.open(self.path) as image:
                    _check(image, self.path)
                    image.load()
                    return image.copy()
        except UnidentifiedImageError as error:
            raise CorruptImageError(f"{self.path} is not an image.") from error
        except (
            OSError,
            SyntaxError,
            ValueError,
            MemoryError,
            Image.DecompressionBombError,
        ) as error:
            reason = getattr(error, "strerror", None) or error  # of the system, without its number
            raise CorruptImageError(f"{self.path} cannot be decoded: {reason}.") from error


def _check(image: Image.Image, path: Path) -> None:
    """Raise `CorruptImageError` for what would fill the memory, or is several pictures."""
    if image.width * image.height > MAX_PIXELS:
        raise CorruptImageError(f"{path} has too many pixels to be decoded.")
    if max(image.size) > MAX_RATIO * min(image.size):
        raise CorruptImageError(f"{path} is more than {MAX_RATIO} times as long as it is wide.")
    if image.format in _ANIMATIONS and getattr(image, "is_animated", False):
        raise CorruptImageError(f"{path} is animated; give a single picture.")


@dataclass(frozen=True)
class Dataset:
    """Labelled images in a fixed order, decoded one at a time when they are asked for."""

    name: str  # what a user calls it: a folder's name, or a bundled set's with its split
    folder: Path
    classes: tuple[str, ...]
    images: tuple[LabelledImage, ...]

    def __len__(self) -> int:
        return len(self.images)

    def limited(self, count: int | None, seed: int = 0) -> Dataset:
        """Return a random sample of ``count`` images in their order, the same for a seed."""
        if count is None or count >= len(self):
            return self
        chosen = np.random.default_rng(seed).permutation(len(self))[:count]
        return replace(self, images=tuple(self.images[index] for index in sorted(chosen)))

    def part(self, start: int, end: int) -> Dataset:
        """Return the images from ``start`` on, before ``end``."""
        return replace(self, images=self.images[start:end])

    def fingerprint(self) -> str:
        """Return a hash of classes, file names and sizes: what makes two evaluations comparable."""
        digest = hashlib.sha256("\0".join(self.classes).encode())
        for image in self.images:
            name = image.path.relative_to(self.folder).as_posix()
            digest.update(f"\0{name}\0{image.path.stat().st_size}".encode())
        return digest.hexdigest()[:16]


def open_dataset(source: str | Path, *, split: str = "heldout") -> Dataset:
    """Find the images of ``source`` without decoding them.

    Args:
        source: a folder of one folder per class; or the name of a bundled data set.
        split: of a bundled data set, ``heldout`` or ``calibration``.

    Raises:
        DatasetError: no such folder, no images, images outside class folders, or an empty class.
        UnknownNameError: no such split.
    """
    if str(source) in DATASETS:
        return _read(dataset_folder(str(source), split), f"{source}/{split}")
    folder = Path(source)
    if not folder.exists():
        raise DatasetError(
            f"{folder} does not exist",
            f"give a folder of one folder per class, or a bundled data set: {', '.join(DATASETS)}.",
        )
    if not folder.is_dir():
        raise DatasetError(f"{folder} is a file, not a folder of one folder per class.")
    return _read(folder, folder.resolve().name)


def _read(folder: Path, name: str) -> Dataset:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    classes = [entry for entry in entries if entry.is_dir()]
    if stray := [entry for entry in entries if entry.suffix.lower() in SUFFIXES]:
        raise DatasetError(
            f"{folder} holds images outside a class folder, {stray[0].name} first",
            "put the images of each class into a folder of the class's name (for segmentation: "
            "images/ and masks/; for detection: images/ and annotations.json).",
        )
    if not classes:
        raise DatasetError(f"{folder} is empty: it must hold one folder of images per class.")
    images = []
    for label, entry in enumerate(classes):
        found = [LabelledImage(path, label) for path in _image_files(entry)]
        if not found:
            raise DatasetError(f"{entry} holds no images", "remove the folder or fill it.")
        images += found
    return Dataset(name, folder, tuple(entry.name for entry in classes), tuple(images))


def _image_files(folder: Path) -> Iterator[Path]:
    """Yield the image files below ``folder`` in a fixed order; linked folders are not followed."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(parent, name)
