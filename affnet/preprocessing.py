"""The pixel contract: how a picture becomes a network's input, and results come back to it.

A manifest states it, and whatever feeds an artifact reads it there.  It is also the reference of
packages for apps: this module needs only numpy and Pillow, and a Python package holds it as it is.
Pillow is imported where pictures are, because boards that run artifacts on arrays lack it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

Interpolation = Literal["bicubic", "bilinear"]
_SIXTEEN_BITS = ("I", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class Preprocessing:
    """The steps in their order; sizes are height and width in pixels.

    What follows of the tensor itself (layout, type, what 0..1 becomes in it) is in its
    `affnet.artifact.TensorSpec`.
    """

    resize: Literal["cover", "stretch"]  # to the smallest picture that covers, or exactly to
    resize_to: tuple[int, int]
    interpolation: Interpolation
    crop: tuple[int, int]  # the centre that is cut out: the network's input
    mask_to_picture: Literal["nearest"] | None = None  # how a map of classes is brought back
    boxes: Literal["fractions"] | None = None  # left, top, right, bottom: of the picture's sides
    exif_orientation: bool = False  # whether a photo is turned upright first
    transparency: Literal["white"] = "white"  # what is behind transparent pixels
    color_order: Literal["RGB"] = "RGB"
    resampler: Literal["pillow"] = "pillow"  # separable, in 8-bit fixed point, columns rounded
    antialias: Literal[True] = True  # the filter grows with the factor of reduction
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # subtracted from values in 0..1
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)  # they are divided by it then
    picture: tuple[int, int] | None = None  # what a file takes that has these steps inside

    @property
    def possible(self) -> bool:
        """Whether there is something to cut out, and no division by 0."""
        inside = all(0 < c <= r for c, r in zip(self.crop, self.resize_to, strict=True))
        return inside and all(self.std)

    def __str__(self) -> str:
        way = "covers" if self.resize == "cover" else "is"
        normalized = f", less {self.mean}, by {self.std}" if self.normalizes else ""
        given = f"by the file, of {_sides(self.picture)}: " if self.picture else ""
        return (
            f"{given}{self.color_order} on {self.transparency}, EXIF orientation "
            f"{'applied' if self.exif_orientation else 'ignored'}, resized until it {way} "
            f"{_sides(self.resize_to)} ({self.interpolation}, antialiased), the central "
            f"{_sides(self.crop)}{normalized}"
        )

    @property
    def outside(self) -> Preprocessing:
        """What is left to do for a file that has these steps inside: bring pictures to its size.

        A classifier's are framed as a camera does it; where results belong to places, the whole
        picture is seen, as without these steps inside.
        """
        if self.picture is None:
            return self
        return dataclasses.replace(
            self,
            resize_to=self.picture,
            crop=self.picture,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            picture=None,
        )

    @property
    def normalizes(self) -> bool:
        """Whether a mean is subtracted or a standard deviation divided by."""
        return any(self.mean) or any(one != 1 for one in self.std)

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size to which a picture of ``size`` is brought before it is cut."""
        return self.resize_to if self.resize == "stretch" else covering(size, self.resize_to)

    def upright(self, image: Image.Image) -> Image.Image:
        """Return a decoded picture in RGB, turned if the contract says so."""
        from PIL import ImageOps

        return to_rgb(ImageOps.exif_transpose(image) if self.exif_orientation else image)

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the H x W x 3 pixels of a picture of any size and mode."""
        picture, steps = self.upright(image), self.outside
        size = steps.resized((picture.height, picture.width))
        return _centre(_resized(picture, size, steps.interpolation), steps.crop)

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """Return a picture as 3 x H x W values, RGB, in 0..1 where no mean is subtracted."""
        return self.values(self.pixels(image))

    def values(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return H x W x 3 pixels as such values."""
        values, steps = np.asarray(pixels.transpose(2, 0, 1), np.float32), self.outside
        values = values / np.float32(255)
        mean, std = (np.array(one, np.float32)[:, None, None] for one in (steps.mean, steps.std))
        return (values - mean) / std


def published(task: str, size: tuple[int, int]) -> Preprocessing:
    """Return what the published evaluations do for a network of a task and an input size.

    A classifier sees the centre of a picture whose shorter side became 9/8 of the size (288 for
    256): the same ratio for every size, as the published evaluation has one only.  The others see
    the whole picture.
    """
    height, width = size
    if task == "segmentation":
        return Preprocessing("stretch", size, "bilinear", size, mask_to_picture="nearest")
    if task == "detection":
        return Preprocessing("stretch", size, "bilinear", size, boxes="fractions")
    return Preprocessing("cover", (round(height * 9 / 8), round(width * 9 / 8)), "bicubic", size)


def cut(
    image: Image.Image,
    cover: tuple[int, int],
    size: tuple[int, int],
    interpolation: Interpolation = "bicubic",
) -> NDArray[np.uint8]:
    """Resize to the smallest picture that covers ``cover`` (H, W); return its centre, ``size``."""
    scaled = covering((image.height, image.width), cover)
    return _centre(_resized(to_rgb(image), scaled, interpolation), size)


def covering(size: tuple[int, int], cover: tuple[int, int]) -> tuple[int, int]:
    """Return the smallest size of the shape of ``size`` that covers ``cover`` (H, W)."""
    scale = max(cover[0] / size[0], cover[1] / size[1])
    return max(round(size[0] * scale), cover[0]), max(round(size[1] * scale), cover[1])


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a picture in RGB, on white where it is transparent; of 16 bits the higher 8."""
    from PIL import Image

    if image.mode in _SIXTEEN_BITS:
        return _gray_of_16_bits(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    transparent = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, transparent).convert("RGB")


def _gray_of_16_bits(image: Image.Image) -> Image.Image:
    """Return it in 8 bits; Pillow's own conversion turns all above 255 white."""
    from PIL import Image

    values = np.asarray(image).astype(np.int64)
    gray = np.clip(values >> 8, 0, 255).astype(np.uint8)
    if isinstance(clear := image.info.get("transparency"), int):
        gray[values == clear] = 255
    return Image.fromarray(gray)


def _resized(
    image: Image.Image, size: tuple[int, int], interpolation: Interpolation
) -> Image.Image:
    from PIL import Image

    return image.resize(size[::-1], Image.Resampling[interpolation.upper()])


def _sides(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _centre(image: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    height, width = size
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return np.asarray(image.crop((left, top, left + width, top + height)))
