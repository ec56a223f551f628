"""Image arrays as the networks take them: float32, N x 3 x H x W, RGB in 0..1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Images = NDArray[np.float32]


def digits_to_input(digits: NDArray[np.uint8], size: tuple[int, int]) -> Images:
    """Scale N x 28 x 28 grey digits to N x 3 x H x W by bilinear interpolation."""
    height, width = size
    scaled = [
        np.asarray(Image.fromarray(digit).resize((width, height), Image.Resampling.BILINEAR))
        for digit in digits
    ]
    grey = np.stack(scaled).astype(np.float32) / 255
    return np.repeat(grey[:, None], 3, axis=1)


def mosaic(digits: NDArray[np.uint8], size: tuple[int, int]) -> Images:
    """Tile 28 x 28 digits over one 1 x 3 x H x W picture, each tile in a colour of its own.

    A picture has what noise lacks: flat areas, edges, and most of its energy in few frequencies.
    """
    height, width = size
    rows, columns = -(-height // 28), -(-width // 28)
    tiles = np.resize(digits, (rows, columns, 28, 28)).transpose(0, 2, 1, 3)
    grey = tiles.reshape(rows * 28, columns * 28)[:height, :width].astype(np.float32) / 255
    colors = np.random.default_rng(0).random((3, rows, columns), dtype=np.float32)
    tint = colors.repeat(28, axis=1).repeat(28, axis=2)[:, :height, :width]
    return np.asarray(grey * tint, np.float32)[None]
