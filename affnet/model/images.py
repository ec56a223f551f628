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
