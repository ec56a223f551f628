"""The images held out from a bundled checkpoint's training, as its network takes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from affnet.evaluation.datasets import open_dataset
from affnet.evaluation.predictors import Images
from affnet.model.bundled import DATASETS, load_held_out
from affnet.model.images import digits_to_input
from affnet.preprocessing import published


def held_out_images(name: str, size: tuple[int, int]) -> tuple[Images, NDArray[np.int64]]:
    """Return N x 3 x H x W images and their classes; the order of folders is that of the labels."""
    if name not in DATASETS:
        digits = load_held_out(name)
        return digits_to_input(digits.images, size), digits.labels
    dataset, preprocessing = open_dataset(name), published("classification", size)
    images = np.stack([preprocessing(image.open()) for image in dataset.images])
    return images, np.asarray([image.label for image in dataset.images])
