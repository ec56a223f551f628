"""Image arrays, and the images held out from the bundled checkpoint's training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from affnet.errors import UnknownNameError
from affnet.model.bundled import bundled_folder, load_held_out
from affnet.model.images import digits_to_input, mosaic
from affnet.model.source import load_source

SIZE = (48, 80)


def test_digits_are_scaled_to_grey_images_between_zero_and_one() -> None:
    digits = np.zeros((2, 28, 28), np.uint8)
    digits[1] = 255
    digits[0, :, 14:] = 51
    images = digits_to_input(digits, SIZE)
    assert (images.shape, images.dtype) == ((2, 3, *SIZE), np.float32)
    assert (images[1] == 1).all()
    assert (images[0, :, :, :30] == 0).all()
    assert images[0, :, :, 50:] == pytest.approx(0.2)
    assert np.array_equal(images[:, 0], images[:, 2])


@pytest.mark.parametrize("size", [(28, 28), (64, 64), (60, 200)])
def test_the_mosaic_fills_the_picture_with_coloured_digits(size: tuple[int, int]) -> None:
    picture = mosaic(load_held_out().images, size)
    assert (picture.shape, picture.dtype) == ((1, 3, *size), np.float32)
    assert 0 <= picture.min() < picture.max() <= 1
    assert (picture[:, :, :28, :28] > 0).any()
    assert (picture[:, :, -28:, -28:] > 0).any()
    assert not np.array_equal(picture[:, 0], picture[:, 1])
    assert 0.5 < (picture == 0).mean() < 0.95  # flat areas


def test_held_out_images_are_of_all_ten_digits() -> None:
    held_out = load_held_out()
    assert held_out.images.shape[1:] == (28, 28)
    assert held_out.images.dtype == np.uint8
    assert sorted(set(held_out.labels.tolist())) == list(range(10))
    assert len(held_out.images) == len(held_out.labels) >= 500


def test_the_bundled_checkpoint_recognises_the_held_out_digits() -> None:
    held_out, source = load_held_out(), load_source("digits")
    images = torch.from_numpy(digits_to_input(held_out.images, source.input.image_size()))
    with torch.inference_mode():
        classes = torch.cat([source.model(batch).argmax(1) for batch in images.split(100)])
    assert (classes.numpy() == held_out.labels).mean() == pytest.approx(0.989, abs=0.003)


def test_an_unknown_bundled_source_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(
        UnknownNameError, match=r"Unknown bundled source 'cats'; valid: digits, emoji\."
    ):
        bundled_folder("cats")
