"""Preprocessing inside a file: what becomes of a picture of 8 bits before the network sees it.

The numbers are Pillow's: resampling over one axis and then the other, with weights of 22 bits after
the point, both results rounded to 8 bits.  A converter writes these steps with operators of its
runtime, before the network; alone in a file they are compared with Pillow itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.preprocessing import Preprocessing

#: The input of a file that does this.
PICTURE = "picture"
#: Of the pictures, in pixels: more than a phone's camera has.
LARGEST_SIDE = 16384
_FIXED_POINT = 1 << 22
_BLOCK = 32  # rows of a band: fewer multiply less, and make more operators
_CUBIC = -0.5


@dataclass(frozen=True)
class GraphPixels:
    """The steps of a pixel contract for pictures of one size."""

    contract: Preprocessing
    size: tuple[int, int]  # of the pictures, height and width
    layout: str  # of the pictures, NHWC or NCHW

    @property
    def resized(self) -> tuple[int, int]:
        """The size before the centre is cut out."""
        return self.contract.resized(self.size)

    @property
    def origin(self) -> tuple[int, int]:
        """Where the centre begins in what was resized: top and left."""
        (height, width), (rows, columns) = self.resized, self.contract.crop
        return (height - rows) // 2, (width - columns) // 2

    def spec(self, name: str) -> TensorSpec:
        """Return what the file takes."""
        shape = (1, *self.size, 3) if self.layout == "NHWC" else (1, 3, *self.size)
        return TensorSpec(name, shape, "uint8", self.layout, (0.0, 255.0))

    def stated(self) -> Preprocessing:
        """Return the contract of the file."""
        return replace(self.contract, picture=self.size)

    def bands(self, axis: int) -> Iterator[Band]:
        """Yield the products that resample one axis, 0 the height, in the order of its results."""
        matrix = resampling(self.size[axis], self.resized[axis], self.contract.interpolation)
        start, count = self.origin[axis], self.contract.crop[axis]
        for first in range(start, start + count, _BLOCK):
            rows = matrix[first : min(first + _BLOCK, start + count)]
            used = np.flatnonzero(rows.any(axis=0))
            begin, end = int(used[0]), int(used[-1]) + 1
            yield Band(begin, np.ascontiguousarray(rows[:, begin:end]))


@dataclass(frozen=True)
class Band:
    """A product with a constant of a part of an axis."""

    begin: int  # of the part
    matrix: NDArray[np.float32]  # results x values of the part


def resampling(size: int, result: int, interpolation: str) -> NDArray[np.float32]:
    """Return the ``result`` x ``size`` weights with which Pillow resamples one axis.

    Source: ``precompute_coeffs`` and ``normalize_coeffs_8bpc`` of Pillow's Resample.c.
    """
    weight, reach = _KERNELS[interpolation]
    scale = size / result
    widened = max(scale, 1.0)  # where it becomes smaller, the filter grows with the factor
    support = reach * widened
    matrix = np.zeros((result, size))
    for row in range(result):
        centre = (row + 0.5) * scale
        begin = max(int(centre - support + 0.5), 0)
        end = min(int(centre + support + 0.5), size)
        places = np.arange(begin, end, dtype=np.float64)
        weights = weight((places - centre + 0.5) / widened)
        matrix[row, begin:end] = weights / weights.sum()
    fixed = matrix * _FIXED_POINT
    return np.asarray(np.trunc(fixed + np.copysign(0.5, fixed)) / _FIXED_POINT, np.float32)


def _bilinear(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(1 - np.abs(x), 0), np.float64)


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.asarray(np.abs(x), np.float64)
    near = ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * _CUBIC
    return np.asarray(np.where(x < 1, near, np.where(x < 2, far, 0.0)), np.float64)


_KERNELS: dict[str, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float]] = {
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
}
