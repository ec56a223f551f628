"""Finding labelled images, and what is wrong with those that are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from affnet.errors import DatasetError, UnknownNameError
from affnet.evaluation import datasets
from affnet.evaluation.datasets import CorruptImageError, LabelledImage, open_dataset


def test_a_folder_of_folders_is_classes_in_order(colours: Callable[..., Path]) -> None:
    folder = colours(2)
    (folder / "red" / "notes.txt").write_text("no image")
    (folder / ".DS_Store").write_text("")
    dataset = open_dataset(folder)
    assert dataset.classes == ("blue", "green", "red")
    assert [image.label for image in dataset.images] == [0, 0, 1, 1, 2, 2]
    assert (dataset.name, len(dataset)) == ("colours", 6)
    assert dataset.images[0].open().size == (40, 36)


def test_bundled_splits_are_of_the_same_ten_classes() -> None:
    held_out, calibration = open_dataset("emoji"), open_dataset("emoji", split="calibration")
    assert (held_out.name, calibration.name) == ("emoji/heldout", "emoji/calibration")
    assert held_out.classes == calibration.classes
    assert (len(held_out.classes), len(held_out), len(calibration)) == (10, 1216, 200)
    per_class = [sum(i.label == k for i in calibration.images) for k in range(10)]
    assert per_class == [20] * 10
    assert held_out.images[0].open().size == (72, 72)


def test_an_unknown_split_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError, match="'val'; valid: heldout, calibration"):
        open_dataset("emoji", split="val")


def test_a_sample_is_the_same_every_time_and_keeps_its_order() -> None:
    dataset = open_dataset("emoji")
    sample = dataset.limited(30)
    assert sample.images == dataset.limited(30).images != dataset.limited(30, seed=1).images
    assert list(sample.images) == [i for i in dataset.images if i in set(sample.images)]
    assert len({image.label for image in sample.images}) > 5
    assert dataset.limited(5000) is dataset.limited(None) is dataset


def test_the_fingerprint_changes_with_the_images(colours: Callable[..., Path]) -> None:
    folder = colours(2)
    dataset = open_dataset(folder)
    before = dataset.fingerprint()
    assert before == open_dataset(folder).fingerprint() != dataset.limited(5).fingerprint()
    Image.effect_noise((99, 99), 50).save(folder / "red" / "1.png")
    assert before != dataset.fingerprint()


def test_what_is_no_data_set_is_told(colours: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    flat = colours(1, name="flat")
    Image.new("RGB", (8, 8)).save(flat / "stray.jpg")
    hollow = colours(1, name="hollow")
    (hollow / "purple").mkdir()
    for source, reason in {
        "missing": "missing does not exist; give a folder of one folder per class, or a bundled",
        "file": "is a file, not a folder of one folder per class",
        "empty": "is empty: it must hold one folder of images per class",
        "flat": "holds images outside a class folder, stray.jpg first",
        "hollow": "purple holds no images; remove the folder or fill it",
    }.items():
        with pytest.raises(DatasetError, match=reason):
            open_dataset(tmp_path / source)


def test_an_image_that_cannot_be_decoded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut_off, text = (tmp_path / name for name in ("a.png", "b.png", "c.png"))
    Image.effect_noise((64, 64), 50).save(whole)
    cut_off.write_bytes(whole.read_bytes()[:500])
    text.write_text("this is no image")
    for path, reason in {cut_off: "cannot be decoded: ", text: "is not an image"}.items():
        with pytest.raises(CorruptImageError, match=f"{path.name} {reason}"):
            LabelledImage(path, 0).open()
    monkeypatch.setattr(datasets, "MAX_PIXELS", 100)
    with pytest.raises(CorruptImageError, match=r"a\.png has too many pixels"):
        LabelledImage(whole, 0).open()
