"""From a picture to what a network takes."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from affnet.preprocessing import Preprocessing, published, to_rgb


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
    contract = replace(published("classification", (256, 256)), interpolation=interpolation)
    assert np.array_equal(contract.pixels(picture), expected)


def test_a_bundled_image_keeps_its_own_pixels() -> None:
    picture = Image.effect_noise((72, 72), 60).convert("RGB")
    pixels = published("classification", (64, 64)).pixels(picture)
    assert np.array_equal(pixels, np.asarray(picture)[4:-4, 4:-4])


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (224, 160)])
@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (20, 31), (1, 500)])
def test_every_picture_becomes_a_whole_centred_input(
    size: tuple[int, int], shape: tuple[int, int]
) -> None:
    values = published("classification", size)(gradient(*shape))
    assert (values.shape, values.dtype) == ((3, *size), np.float32)
    assert 0 <= values.min() <= values.max() <= 1
    if min(shape) > 1:
        assert abs(values[0].mean() - 0.5) < 0.05  # the crop is in the middle
        assert abs(values[1].mean() - 0.5) < 0.05


def test_other_modes_become_rgb_and_transparency_white() -> None:
    grey = published("classification", (32, 32))(Image.new("L", (50, 50), 51))
    assert np.allclose(grey, 0.2)
    clear = Image.new("RGBA", (50, 50), (255, 0, 0, 0))
    assert np.allclose(published("classification", (32, 32))(clear), 1)
    palette = Image.new("P", (50, 50), 1)
    palette.putpalette([0, 0, 0, 0, 255, 0])
    assert np.allclose(published("classification", (32, 32))(palette).mean((1, 2)), (0, 1, 0))


@pytest.mark.parametrize("task", ["segmentation", "detection"])
def test_dense_networks_see_the_whole_picture(task: str) -> None:
    picture = Image.effect_noise((50, 40), 60).convert("RGB")
    expected = np.asarray(picture.resize((96, 64), Image.Resampling.BILINEAR))
    contract = published(task, (64, 96))
    assert np.array_equal(contract.pixels(picture), expected)
    back = (contract.mask_to_picture, contract.boxes)
    assert back == (("nearest", None) if task == "segmentation" else (None, "fractions"))


def test_a_mean_is_subtracted_before_the_division() -> None:
    mean, std = (0.2, 0.0, 0.5), (0.5, 1.0, 0.25)
    contract = replace(published("detection", (2, 2)), mean=mean, std=std)
    values = contract(Image.new("RGB", (5, 5), (51, 255, 0)))
    assert np.allclose(values[:, 0, 0], (0, 1, -2), atol=1e-6)
    assert contract.normalizes
    assert "less (0.2, 0.0, 0.5)" in str(contract)


def test_a_file_with_the_steps_inside_gets_the_whole_picture_where_places_count() -> None:
    picture = Image.effect_noise((80, 50), 60).convert("RGB")
    dense = replace(published("detection", (64, 96)), picture=(30, 40))
    whole = picture.resize((40, 30), Image.Resampling.BILINEAR)
    assert np.array_equal(dense.pixels(picture), np.asarray(whole))
    classifier = replace(published("classification", (64, 96)), picture=(30, 40), mean=(9, 9, 9))
    framed = picture.resize((48, 30), Image.Resampling.BICUBIC).crop((4, 0, 44, 30))
    assert np.array_equal(classifier.pixels(picture), np.asarray(framed))
    assert classifier(picture).max() <= 1  # its mean is subtracted inside


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_of_16_bits_the_higher_8_are_taken(mode: str) -> None:
    deep = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    picture = Image.fromarray(deep if mode == "I;16" else deep.astype(np.int32))
    assert picture.mode == mode
    assert np.array_equal(np.asarray(to_rgb(picture))[..., 1].ravel(), np.arange(256))


#: A PNG file of the values 0x1234, which is transparent, and 0x1235: Pillow 10.1 cannot write it.
CLEAR_GRAY = (
    "89504e470d0a1a0a0000000d494844520000000200000001100000000081d9fc150000000274524e5312342fd3495e"
    "0000000d49444154789c6314326160040000ef00498db9d70e0000000049454e44ae426082"
)


def test_a_transparent_gray_of_16_bits_is_white(tmp_path: Path) -> None:
    (tmp_path / "deep.png").write_bytes(bytes.fromhex(CLEAR_GRAY))
    with Image.open(tmp_path / "deep.png") as stored:
        assert np.asarray(to_rgb(stored)).tolist() == [[[255] * 3, [0x12] * 3]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_only_if_the_contract_says_so(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    gradient(40, 30).save(tmp_path / "photo.png", exif=exif)
    with Image.open(tmp_path / "photo.png") as photo:
        usual = published("detection", (30, 40))
        assert np.array_equal(usual.pixels(photo), np.asarray(gradient(40, 30)))
        turned = replace(usual, exif_orientation=True)
        upright = ImageOps.exif_transpose(photo)
        assert np.array_equal(turned.pixels(photo), usual.pixels(upright))
        assert np.array_equal(turned.pixels(turned.upright(photo)), turned.pixels(photo))


def test_a_contract_survives_json_and_says_all_in_a_line() -> None:
    contract = published("classification", (256, 256))
    assert Preprocessing(**json.loads(json.dumps(asdict(contract)))).crop == [256, 256]
    assert str(contract) == (
        "RGB on white, EXIF orientation ignored, resized until it covers 288x288 "
        "(bicubic, antialiased), the central 256x256"
    )
