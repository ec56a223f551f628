"""Image folders as training reads them: small squares in memory, augmented batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.errors import DatasetError
from affnet.evaluation.datasets import CorruptImageError, Dataset, open_dataset
from affnet.preprocessing import cut

VALIDATION_NAMES = ("heldout", "val", "validation", "test")
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Squares:
    """Decoded images, N x 3 x S x S, uint8, with their labels; S is 9/8 of the network's input."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def open_splits(folder: Path, seed: int) -> tuple[Dataset, Dataset]:
    """Return what to train on and what to test on.

    A folder with ``train`` holds the other split beside it (``val``, ``test`` or ``heldout``);
    from one without, a tenth of each class is drawn for the test.
    """
    if not (folder / "train").is_dir():
        return _draw_tenth(open_dataset(folder), seed)
    for name in VALIDATION_NAMES:
        if (folder / name).is_dir():
            train, test = open_dataset(folder / "train"), open_dataset(folder / name)
            if train.classes != test.classes:
                raise DatasetError(f"{folder}: train and {name} hold different classes.")
            return train, test
    raise DatasetError(f"{folder} holds train but none of {', '.join(VALIDATION_NAMES)} beside it.")


def decode(dataset: Dataset, size: int) -> Squares:
    """Decode all images of a data set, 9/8 of ``size`` wide; name and skip what cannot be."""
    side = round(size * 9 / 8)
    pixels, labels = [], []
    for image in dataset.images:
        try:
            square = cut(image.open(), (side, side), (side, side))
        except CorruptImageError as error:
            print(f"skipped: {error}", flush=True)
            continue
        pixels.append(torch.from_numpy(square.transpose(2, 0, 1).copy()))
        labels.append(image.label)
    if not labels:
        raise DatasetError(f"{dataset.folder} holds no image that can be decoded.")
    return Squares(torch.stack(pixels), torch.tensor(labels))


def training_batches(
    squares: Squares, size: int, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch in random order, augmented, without the last images that fill no batch."""
    order = torch.randperm(len(squares), generator=generator)
    for batch in order.split(batch_size):
        if len(batch) == min(batch_size, len(squares)):
            x = squares.pixels[batch].float() / 255
            yield augment(x, size, generator), squares.labels[batch]


def evaluation_batches(squares: Squares, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the centres, as the published evaluation sees them."""
    border = (squares.pixels.shape[-1] - size) // 2
    centre = squares.pixels[..., border : border + size, border : border + size]
    for pixels, labels in zip(centre.split(128), squares.labels.split(128), strict=True):
        yield pixels.float() / 255, labels


def augment(x: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Move, mirror, recolour and partly erase B x 3 x S x S images; cut out ``size`` x ``size``."""
    return _erase(_recolour(_move(x, size, generator), generator), generator)


def _uniform(generator: torch.Generator, count: int, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _move(x: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Rotate up to 15 degrees, scale each side, shift up to a tenth, mirror every second one."""
    count = len(x)
    angle = _uniform(generator, count, -1, 1) * math.radians(15)
    zoom = _uniform(generator, count, math.log(0.7), math.log(1.25)).exp() * size / x.shape[-1]
    aspect = _uniform(generator, count, math.log(0.85), math.log(1 / 0.85)).exp().sqrt()
    mirror = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    shift = _uniform(generator, 2 * count, -0.2, 0.2).view(2, count)  # of half a side
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    rows = (
        torch.stack((mirror * cos * aspect, -sin / aspect, shift[0])),
        torch.stack((mirror * sin * aspect, cos / aspect, shift[1])),
    )
    theta = torch.stack(rows).permute(2, 0, 1)
    grid = F.affine_grid(theta, [count, 3, size, size], align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _recolour(x: Tensor, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast and saturation by up to a third, the hue by up to 20 degrees."""
    count = len(x)
    weights = torch.tensor(_LUMA).view(1, 3, 1, 1)
    luma = (x * weights).sum(1, keepdim=True)
    saturation = _uniform(generator, count, 0.6, 1.4)
    saturation = torch.where(torch.rand(count, generator=generator) < 0.1, 0.0, saturation)
    chroma = torch.einsum("bij,bjhw->bihw", _hue_rotation(count, generator), x - luma)
    x = luma + chroma * saturation.view(-1, 1, 1, 1)
    mean = x.mean((1, 2, 3), keepdim=True)
    contrast = _uniform(generator, count, 0.7, 1.3).view(-1, 1, 1, 1)
    brightness = _uniform(generator, count, 0.7, 1.3).view(-1, 1, 1, 1)
    return ((x - mean) * contrast + mean * brightness).clamp(0, 1)


def _hue_rotation(count: int, generator: torch.Generator) -> Tensor:
    """Return rotations about the grey axis, B x 3 x 3 (Rodrigues' formula)."""
    angle = (_uniform(generator, count, -1, 1) * math.radians(20)).view(-1, 1, 1)
    axis = 1 / math.sqrt(3)
    cross = axis * torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    return torch.cos(angle) * torch.eye(3) + torch.sin(angle) * cross + (1 - torch.cos(angle)) / 3


def _erase(x: Tensor, generator: torch.Generator) -> Tensor:
    """Fill a rectangle of a quarter of the images with one grey (random erasing)."""
    count, size = len(x), x.shape[-1]
    centre = torch.rand(2, count, 1, generator=generator) * size
    half = _uniform(generator, 2 * count, 0.1, 0.25).view(2, count, 1) * size
    inside = (torch.arange(size) - centre).abs() < half
    chosen = (torch.rand(count, generator=generator) < 0.25).view(-1, 1, 1)
    mask = (inside[0][:, :, None] & inside[1][:, None, :] & chosen)[:, None]
    grey = torch.rand(count, generator=generator).view(-1, 1, 1, 1)
    return torch.where(mask, grey, x)


def _draw_tenth(dataset: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    generator = np.random.default_rng(seed)
    train, test = [], []
    for label, name in enumerate(dataset.classes):
        images = [image for image in dataset.images if image.label == label]
        if len(images) < 2:
            raise DatasetError(f"Class {name!r} has {len(images)} image; two are the least.")
        order = generator.permutation(len(images))
        count = max(1, len(images) // 10)
        test += [images[index] for index in order[:count]]
        train += [images[index] for index in order[count:]]
    return replace(dataset, images=tuple(train)), replace(dataset, images=tuple(test))
