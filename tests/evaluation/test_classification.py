"""Accuracy: what is counted, and of which images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import TensorSpec
from affnet.errors import DatasetError
from affnet.evaluation.classification import classify
from affnet.evaluation.datasets import open_dataset
from affnet.evaluation.intervals import wilson_interval
from affnet.evaluation.predictors import session_predictor
from affnet.preprocessing import published
from tests.evaluation.conftest import brightest_channel

PREPROCESSING = published("classification", (32, 32))
RGB = ("red", "green", "blue")  # not the folders' order


def test_classes_are_matched_by_name(colours: Callable[..., Path]) -> None:
    seen: list[str] = []
    folder = colours(6)
    accuracy = classify(
        brightest_channel, open_dataset(folder), PREPROCESSING, labels=RGB, show=seen.append
    )
    assert (accuracy.images, accuracy.top1, accuracy.top5) == (18, 1.0, None)
    assert accuracy.predicted == (2,) * 6 + (1,) * 6 + (0,) * 6
    assert accuracy.top1_interval == wilson_interval(18, 18)
    assert accuracy.images_per_second > 0
    assert seen[-1] == "Classified 18 of 18 images"
    in_order = classify(brightest_channel, open_dataset(folder), PREPROCESSING, labels=None)
    assert in_order.top1 == pytest.approx(1 / 3)  # only green is where the network has it
    assert in_order.agreement(accuracy) == 18


def test_top5_counts_the_five_best(colours: Callable[..., Path]) -> None:
    folder = colours(2)
    for name in ("a", "b", "c", "d"):
        (folder / name).mkdir()
        (folder / name / "0.png").write_bytes((folder / "red" / "0.png").read_bytes())
    order = np.arange(7.0)  # class 6, "red", comes first; the classes 0 and 1 are beyond the fifth

    def predict(images: np.ndarray) -> np.ndarray:
        return np.tile(order, (len(images), 1))

    accuracy = classify(predict, open_dataset(folder), PREPROCESSING, labels=None)
    assert accuracy.images == 10
    assert (accuracy.top1, accuracy.top5) == (0.2, 0.8)


def test_corrupt_images_are_named_and_not_counted(colours: Callable[..., Path]) -> None:
    folder = colours(2)
    (folder / "red" / "1.png").write_text("broken")
    accuracy = classify(brightest_channel, open_dataset(folder), PREPROCESSING, labels=RGB)
    assert (accuracy.images, accuracy.top1) == (5, 1.0)
    assert accuracy.skipped == (f"{folder / 'red' / '1.png'} is not an image.",)
    for path in folder.rglob("*.png"):
        path.write_text("broken")
    with pytest.raises(DatasetError, match="holds no image that can be decoded"):
        classify(brightest_channel, open_dataset(folder), PREPROCESSING, labels=RGB)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("Red", "GREEN ", "blue"), None),
        (("red", "green", "teal"), "has a folder 'blue', which is no label of the network"),
        (("red", "green", "bleu"), "did you mean 'bleu'"),
        (("red", "Red", "blue"), "have the same name"),
    ],
)
def test_labels_that_are_not_the_folders(
    labels: tuple[str, ...], reason: str | None, colours: Callable[..., Path]
) -> None:
    dataset = open_dataset(colours(1))
    if reason is None:
        assert classify(brightest_channel, dataset, PREPROCESSING, labels=labels).top1 == 1
        return
    with pytest.raises(DatasetError, match=reason):
        classify(brightest_channel, dataset, PREPROCESSING, labels=labels)


def test_another_number_of_classes_is_refused(colours: Callable[..., Path]) -> None:
    dataset = open_dataset(colours(1))

    def four(images: np.ndarray) -> np.ndarray:
        return np.zeros((len(images), 4), np.float32)

    with pytest.raises(DatasetError, match="3 class folders and the network 4 classes "):
        classify(four, dataset, PREPROCESSING, labels=(*RGB, "grey"))


def test_accuracies_on_other_images_are_not_compared(colours: Callable[..., Path]) -> None:
    dataset = open_dataset(colours(2))
    whole = classify(brightest_channel, dataset, PREPROCESSING, labels=RGB)
    part = classify(brightest_channel, dataset.limited(4), PREPROCESSING, labels=RGB)
    with pytest.raises(ValueError, match="cannot be compared"):
        whole.agreement(part)


def test_wilsons_interval_is_that_of_the_books() -> None:
    # Newcombe, Statistics in Medicine 17, 1998, table I: methods with one decimal more
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_a_session_gets_batches_of_the_size_it_takes() -> None:
    sizes: list[int] = []

    class Doubling:
        def run(self, image: np.ndarray) -> list[np.ndarray]:
            sizes.append(len(image))
            return [image[:, 0, 0] * 2]

    images = np.random.default_rng(0).random((5, 3, 4, 4), dtype=np.float32)
    spec = TensorSpec("image", (2, 4, 4, 3), "float32", "NHWC", (0.0, 255.0))
    outputs = session_predictor(Doubling(), spec)(images)
    assert sizes == [2, 2, 2]
    assert np.allclose(outputs, images.transpose(0, 2, 3, 1)[:, 0, 0] * 510)
    sizes.clear()
    dynamic = TensorSpec("image", ("batch", 3, 4, 4), "float32", "NCHW", (0.0, 1.0))
    session_predictor(Doubling(), dynamic)(images)
    assert sizes == [5]
