"""From a picture to what a network takes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from affnet.evaluation.preprocessing import Preprocessing


def gradient(width: int, height: int) -> Image.Image:
    """Red rises to the right, green downwards."""
    red = np.linspace(0, 255, width, dtype=np.uint8)[None].repeat(height, 0)
    green = np.linspace(0, 255, height, dtype=np.uint8)[:, None].repeat(width, 1)
    return Image.fromarray(np.stack((red, green, np.zeros_like(red)), axis=-1))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_the_published_size_is_a_crop_of_256_from_288(interpolation: str) -> None:
    picture = Image.effect_noise((500, 400), 60).convert("RGB")
    resized = picture.resize((360, 288), Image.Resampling[interpolation.upper()])
    expected = np.asarray(resized)[16:-16, 52:-52]
    assert np.array_equal(Preprocessing((256, 256), interpolation).pixels(picture), expected)


def test_a_bundled_image_keeps_its_own_pixels() -> None:
    picture = Image.effect_noise((72, 72), 60).convert("RGB")
    assert np.array_equal(Preprocessing((64, 64)).pixels(picture), np.asarray(picture)[4:-4, 4:-4])


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (224, 160)])
@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (20, 31), (1, 500)])
def test_every_picture_becomes_a_whole_centred_input(
    size: tuple[int, int], shape: tuple[int, int]
) -> None:
    values = Preprocessing(size)(gradient(*shape))
    assert (values.shape, values.dtype) == ((3, *size), np.float32)
    assert 0 <= values.min() <= values.max() <= 1
    if min(shape) > 1:
        assert abs(values[0].mean() - 0.5) < 0.05  # the crop is in the middle
        assert abs(values[1].mean() - 0.5) < 0.05


def test_other_modes_become_rgb_and_transparency_white() -> None:
    grey = Preprocessing((32, 32))(Image.new("L", (50, 50), 51))
    assert np.allclose(grey, 0.2)
    clear = Image.new("RGBA", (50, 50), (255, 0, 0, 0))
    assert np.allclose(Preprocessing((32, 32))(clear), 1)
    palette = Image.new("P", (50, 50), 1)
    palette.putpalette([0, 0, 0, 0, 255, 0])
    assert np.allclose(Preprocessing((32, 32))(palette).mean((1, 2)), (0, 1, 0))
