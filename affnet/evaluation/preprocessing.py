"""The preprocessing of the published evaluation: from a picture to what a network takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Interpolation = Literal["bicubic", "bilinear"]
_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Preprocessing:
    """Resize the shorter side to 9/8 of the size (288 for 256), cut out the centre, scale to 0..1.

    The same ratio serves every size, as the published evaluation has one only.  A photo's EXIF
    orientation is not applied and no mean is subtracted, as there; what is transparent turns white.
    """

    size: tuple[int, int]  # height and width of the network's input
    interpolation: Interpolation = "bicubic"

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the H x W x 3 pixels of a picture of any size and mode."""
        height, width = self.size
        return cut(image, (_enlarged(height), _enlarged(width)), self.size, self.interpolation)

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """Return a picture as 3 x H x W values in 0..1, RGB."""
        return np.asarray(self.pixels(image).transpose(2, 0, 1), np.float32) / np.float32(255)


def cut(
    image: Image.Image,
    cover: tuple[int, int],
    size: tuple[int, int],
    interpolation: Interpolation = "bicubic",
) -> NDArray[np.uint8]:
    """Resize to the smallest picture that covers ``cover`` (H, W); return its centre, ``size``."""
    scale = max(cover[0] / image.height, cover[1] / image.width)
    scaled = (
        max(round(image.width * scale), cover[1]),
        max(round(image.height * scale), cover[0]),
    )
    resized = to_rgb(image).resize(scaled, _RESAMPLING[interpolation])
    left, top = (scaled[0] - size[1]) // 2, (scaled[1] - size[0]) // 2
    return np.asarray(resized.crop((left, top, left + size[1], top + size[0])))


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a picture in RGB, on white where it is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    transparent = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, transparent).convert("RGB")


def _enlarged(side: int) -> int:
    return round(side * 9 / 8)
