"""The resizers of other libraries: what is known of each, and PyTorch's against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from affnet.evaluation.resizers import other_resizers
from affnet.preprocessing import Preprocessing, published
from tests.package.pictures import scene

CONTRACT = published("classification", (64, 64))
STRETCH = published("detection", (40, 60))


def resized(name: str, picture: Image.Image, contract: Preprocessing) -> np.ndarray:
    (found,) = [one for one in other_resizers(contract) if name in one.name]
    return found.pixels(picture, contract)


@pytest.mark.parametrize(("contract", "mode"), [(CONTRACT, "bicubic"), (STRETCH, "bilinear")])
@pytest.mark.parametrize("size", [(300, 200), (50, 90), (201, 333)])
def test_pytorchs_is_pytorchs(contract: Preprocessing, mode: str, size: tuple[int, int]) -> None:
    picture = scene(*size, 1)
    values = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    after = contract.resized((picture.height, picture.width))
    expected = torch.nn.functional.interpolate(values.float(), after, mode=mode, antialias=True)
    found = resized("PyTorch", picture, contract).astype(int)
    top, left = ((a - c) // 2 for a, c in zip(after, contract.crop, strict=True))
    cut = expected[0, :, top : top + contract.crop[0], left : left + contract.crop[1]]
    rounded = cut.permute(1, 2, 0).clamp(0, 255).round().numpy()
    assert np.abs(found - rounded).max() <= 1  # halves
    assert np.abs(found - contract.pixels(picture)).max() <= 2  # Pillow rounds twice


@pytest.mark.parametrize(
    ("name", "mode"), [("INTER_LINEAR", "bilinear"), ("INTER_CUBIC", "bicubic")]
)
def test_opencvs_without_antialias_are_pytorchs_without(name: str, mode: str) -> None:
    picture = scene(150, 110, 2)
    values = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(values, STRETCH.crop, mode=mode)
    found = resized(name, picture, STRETCH)
    rounded = expected[0].permute(1, 2, 0).clamp(0, 255).round().numpy()
    assert np.abs(found - rounded).max() <= 1  # torch's cubic has a = -0.75 here, as OpenCV's


def test_area_and_mipmaps_are_means_where_sizes_are_halved() -> None:
    picture = scene(120, 80, 3)
    pixels = np.asarray(picture, float)
    mean = (pixels[::2, ::2] + pixels[1::2, ::2] + pixels[::2, 1::2] + pixels[1::2, 1::2]) / 4
    for name in ("INTER_AREA", "mipmaps"):
        assert np.abs(resized(name, picture, STRETCH) - mean).max() <= 0.5


def test_squashed_pictures_are_whole() -> None:
    picture = scene(300, 100, 4)
    expected = np.asarray(picture.resize((64, 64), Image.Resampling.BICUBIC))
    assert np.array_equal(resized("squashed", picture, CONTRACT), expected)
    assert not [one for one in other_resizers(STRETCH) if one.squash]


@pytest.mark.parametrize("contract", [CONTRACT, STRETCH])
@pytest.mark.parametrize("size", [(1, 90), (90, 1), (64, 64), (700, 401)])
def test_every_resizer_takes_every_size_and_keeps_one_color(
    contract: Preprocessing, size: tuple[int, int]
) -> None:
    picture = Image.new("RGB", size, (10, 128, 250))
    for resizer in other_resizers(contract):
        pixels = resizer.pixels(picture, contract)
        assert pixels.shape == (*contract.crop, 3), resizer.name
        assert np.array_equal(pixels, np.broadcast_to([10, 128, 250], pixels.shape)), resizer.name
