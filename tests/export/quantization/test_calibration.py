"""The images that int8 is calibrated with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affnet.artifact import TensorSpec
from affnet.errors import DatasetError, UsageError
from affnet.export.quantization.calibration import load_calibration
from affnet.model.source import load_source
from tests.tiny import CLASSES, tiny_source


def folder_of(root: Path, images: int = 2, classes: int = CLASSES) -> Path:
    """Make pictures of several sizes, one folder per class."""
    for label in range(classes):
        folder = root / f"class {label}"
        folder.mkdir(parents=True)
        for index in range(images):
            size = (40 + 10 * index, 30 + 8 * label)
            Image.new("RGB", size, (50 * label, 100, 7)).save(folder / f"{index}.png")
    return root


def test_a_folder_of_pictures_of_any_size_and_its_labels(tmp_path: Path) -> None:
    found = load_calibration(tiny_source(), str(folder_of(tmp_path)), 200)
    assert found.images.shape == (10, 3, 32, 32)
    assert found.images.dtype == np.float32
    assert found.labels is not None
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    # the colour of each class, through the preprocessing
    assert np.allclose(found.images[:, 0].mean(axis=(1, 2)), found.labels * 50 / 255, atol=1e-3)


def test_as_many_as_asked_for_and_always_the_same(tmp_path: Path) -> None:
    folder = str(folder_of(tmp_path))
    first, second = (load_calibration(tiny_source(), folder, 4) for _ in range(2))
    assert len(first.images) == 4
    assert np.array_equal(first.images, second.images)


def test_few_images_are_warned_of(tmp_path: Path) -> None:
    (note,) = load_calibration(tiny_source(), str(folder_of(tmp_path / "set")), 200).notes()
    assert note == (
        "set gives 10 images to calibrate with and to judge by; with fewer than 100 the ranges of "
        "activations are a guess, and one image is 10.0 points of accuracy."
    )
    assert load_calibration(load_source("digits"), None, 100).notes() == ()


def test_corrupt_images_are_named_and_skipped(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "class 0" / "0.png").write_bytes(b"no picture")
    found = load_calibration(tiny_source(), str(folder), 200)
    assert len(found.images) == 9
    assert "0.png is not an image." in found.notes()[0]


def test_nothing_but_corrupt_images_is_an_error(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, images=1)
    for path in folder.glob("*/*.png"):
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="holds no image that can be decoded"):
        load_calibration(tiny_source(), str(folder), 200)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root.mkdir(), "is empty"),
        (lambda _: None, "does not exist"),
        (lambda root: folder_of(root, classes=3), "3 class folders and the network 5 classes"),
    ],
)
def test_folders_that_cannot_calibrate(tmp_path: Path, make, message) -> None:
    make(tmp_path / "set")
    with pytest.raises(DatasetError, match=message):
        load_calibration(tiny_source(), str(tmp_path / "set"), 200)


def test_what_was_not_trained_on_bundled_images_needs_a_folder() -> None:
    with pytest.raises(UsageError, match=r"give a folder .* with --calibration-data"):
        load_calibration(tiny_source(), None, 200)
    # asked for by name they serve: latency does not depend on ranges
    assert load_calibration(tiny_source(), "bundled", 7).labels is None


def test_wrong_numbers_and_networks() -> None:
    with pytest.raises(UsageError, match="--calibration-samples must be at least 1, not 0"):
        load_calibration(load_source("digits"), None, 0)
    source = tiny_source()
    object.__setattr__(source, "inputs", (TensorSpec("x", (1, 4), "float32"),))
    with pytest.raises(UsageError, match="takes no images") as refused:
        load_calibration(source, "bundled", 5)
    assert refused.value.remedy is not None and "--precision fp16" in refused.value.remedy
