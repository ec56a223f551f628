"""What other libraries resize to, in numpy: how much they would cost a network that Pillow trained.

Each is separable: a matrix of weights along one axis, from its inputs to its outputs.  Sources:
OpenCV's ``resize`` (docs.opencv.org, InterpolationFlags: centers of pixels, no filter against
aliasing, cubic with a = -0.75, area as the mean of what a pixel covers), Skia's sampling (Android's
``createScaledBitmap``: 2 x 2 pixels; a canvas of medium and high quality: halved first, mipmaps),
PyTorch's ``interpolate`` with ``antialias`` (Pillow's filters, in floating point).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affnet.preprocessing import Preprocessing

Weights = Callable[[int, int], NDArray[np.float64]]  # sizes before and after -> after x before
_CUBIC = {"pillow": -0.5, "opencv": -0.75}


@dataclass(frozen=True)
class Resizer:
    """One way to resize."""

    name: str
    weights: Weights | None = None  # None: Pillow's own filter `interpolation`
    interpolation: str | None = None  # of Pillow, None for the contract's
    squash: bool = False  # the whole picture, whatever its shape

    def pixels(self, image: Image.Image, contract: Preprocessing) -> NDArray[np.uint8]:
        """Return the H x W x 3 pixels of a picture with this in place of the contract's resize."""
        picture = contract.upright(image)
        before = (picture.height, picture.width)
        after = contract.crop if self.squash else contract.resized(before)
        if self.weights is None:
            name = (self.interpolation or contract.interpolation).upper()
            resized = np.asarray(picture.resize(after[::-1], Image.Resampling[name]))
        else:
            values = np.asarray(picture, np.float64)
            for axis in (0, 1):
                matrix = self.weights(before[axis], after[axis])
                values = np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)
            resized = np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
        top, left = ((a - c) // 2 for a, c in zip(after, contract.crop, strict=True))
        return resized[top : top + contract.crop[0], left : left + contract.crop[1]]


def _cubic(x: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _linear(x: NDArray[np.float64], _: float = 0) -> NDArray[np.float64]:
    return np.asarray(np.maximum(0.0, 1 - np.abs(x)))


def _filtered(
    kernel: Callable[[NDArray[np.float64], float], NDArray[np.float64]],
    a: float,
    *,
    antialias: bool,
) -> Weights:
    """Return weights of a kernel; at the borders the last pixel goes on, or weights are scaled."""

    def weights(before: int, after: int) -> NDArray[np.float64]:
        scale = before / after
        width = max(scale, 1.0) if antialias else 1.0
        centers = (np.arange(after) + 0.5) * scale - 0.5
        if antialias:
            matrix = kernel((np.arange(before) - centers[:, None]) / width, a)
            return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))
        matrix = np.zeros((after, before))
        first = np.floor(centers).astype(int)
        for step in (-1, 0, 1, 2):
            place = np.clip(first + step, 0, before - 1)
            np.add.at(matrix, (np.arange(after), place), kernel(centers - first - step, a))
        return matrix

    return weights


def _area(before: int, after: int) -> NDArray[np.float64]:
    """Return the share of each input that an output covers; OpenCV enlarges linearly instead."""
    if after > before:
        return _filtered(_linear, 0, antialias=False)(before, after)
    edges = np.arange(after + 1) * before / after
    low = np.maximum(edges[:-1, None], np.arange(before))
    high = np.minimum(edges[1:, None], np.arange(before) + 1)
    covered = np.maximum(high - low, 0)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True))


def _mipmap(before: int, after: int) -> NDArray[np.float64]:
    """Return the weights of halving until less than twice too large, then 2 pixels each."""
    matrix = np.eye(before)
    while len(matrix) >= 2 * after:
        half = len(matrix) // 2
        matrix = (matrix[0 : 2 * half : 2] + matrix[1 : 2 * half : 2]) / 2
    return np.asarray(_filtered(_linear, 0, antialias=False)(len(matrix), after) @ matrix)


def _nearest(before: int, after: int) -> NDArray[np.float64]:
    place = np.minimum(np.arange(after) * before // after, before - 1)
    return np.asarray(np.eye(before)[place])


def other_resizers(contract: Preprocessing) -> tuple[Resizer, ...]:
    """Return the resizers that apps use, beside the contract's."""
    cubic = contract.interpolation == "bicubic"
    kernel, a = (_cubic, _CUBIC["pillow"]) if cubic else (_linear, 0.0)
    swapped = "bilinear" if cubic else "bicubic"
    resizers = (
        Resizer("PyTorch, antialias=True", _filtered(kernel, a, antialias=True)),
        Resizer(f"Pillow, {swapped}", interpolation=swapped),
        Resizer("OpenCV, INTER_AREA", _area),
        Resizer("OpenCV, INTER_CUBIC", _filtered(_cubic, _CUBIC["opencv"], antialias=False)),
        Resizer(
            "OpenCV, INTER_LINEAR; Android, createScaledBitmap; canvas, low quality",
            _filtered(_linear, 0, antialias=False),
        ),
        Resizer("canvas, medium and high quality (mipmaps)", _mipmap),
        Resizer("OpenCV, INTER_NEAREST", _nearest),
    )
    if contract.resize == "stretch":
        return resizers
    return (*resizers, Resizer("the whole picture squashed (MediaPipe's default)", squash=True))
