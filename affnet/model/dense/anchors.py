"""The anchors of SSD, and how boxes are encoded relative to them.

Source: "SSD: Single Shot MultiBox Detector", arXiv 1512.02325, section 2.2, with the scales and the
variances of the published code of AFFNet's family.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_SMALLEST, _LARGEST = 0.1, 1.05  # scales, as fractions of the image
#: Aspect ratios of each map's anchors besides 1, each with its inverse.
ASPECT_RATIOS: tuple[tuple[int, ...], ...] = ((2, 3),) * 5 + ((2,),)
COORDINATES = 4  # values of a box
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2  # what a network's values are multiplied by


def anchors_per_cell(ratios: Sequence[int]) -> int:
    """Return how many anchors each cell of a map has: two squares, and two for each ratio."""
    return 2 + 2 * len(ratios)


def make_anchors(map_sizes: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
    """Return the anchors of maps of these heights and widths, the finest first.

    They are A x 4: centre x, centre y, width, height, as fractions of the image, clipped to 0..1;
    map by map, row by row, cell by cell.
    """
    scales = np.linspace(_SMALLEST, _LARGEST, len(map_sizes) + 1)
    parts = []
    for index, (height, width) in enumerate(map_sizes):
        shapes = _shapes(scales[index], scales[index + 1], ASPECT_RATIOS[index])
        y, x = np.meshgrid(
            (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij"
        )
        centres = np.stack((x, y), axis=-1).reshape(-1, 1, 2).repeat(len(shapes), axis=1)
        sizes = np.broadcast_to(shapes, (len(centres), *shapes.shape))
        parts.append(np.concatenate((centres, sizes), axis=-1).reshape(-1, 4))
    return np.clip(np.concatenate(parts), 0.0, 1.0).astype(np.float32)


def _shapes(scale: float, next_scale: float, ratios: Sequence[int]) -> NDArray[np.float64]:
    """Return width and height of the anchors of one cell."""
    between = np.sqrt(scale * next_scale)
    shapes = [(scale, scale), (between, between)]
    for ratio in ratios:
        long, short = scale * np.sqrt(ratio), scale / np.sqrt(ratio)
        shapes += [(long, short), (short, long)]
    return np.array(shapes)


class Anchors(nn.Module):
    """Turns a network's box values into boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frozen", None, persistent=False)
        self.frozen: Tensor | None

    def freeze(self, map_sizes: Sequence[tuple[int, int]]) -> None:
        """Compute the anchors of these maps once and for all: an export holds them as constants."""
        self.frozen = torch.from_numpy(make_anchors(map_sizes))

    def forward(self, values: Tensor, map_sizes: Sequence[tuple[int, int]]) -> Tensor:
        """Map B x A x 4 values to boxes, each left, top, right, bottom as fractions of the image.

        Values move an anchor's centre by tenths of its size, and scale its size exponentially.
        """
        anchors = self.frozen
        if anchors is None:
            anchors = torch.from_numpy(make_anchors(map_sizes)).to(values.device)
        centre, size = anchors[:, :2], anchors[:, 2:]
        centre = values[..., :2] * (_CENTRE_VARIANCE * size) + centre
        half = torch.exp(values[..., 2:] * _SIZE_VARIANCE) * (size / 2)
        return torch.cat((centre - half, centre + half), dim=-1)
