"""Calibration images: the ranges of activations, and the accuracy of quantized files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, image_spec
from affnet.errors import DatasetError, UsageError
from affnet.evaluation.classification import batches
from affnet.evaluation.datasets import open_dataset
from affnet.evaluation.labels import match_classes
from affnet.model.bundled import DATASETS, load_held_out
from affnet.model.images import Images, digits_to_input
from affnet.model.source import Source

BUNDLED = "bundled"
_ANY_PICTURES = "emoji"
#: So many images are taken unless told otherwise; fewer than `FEW` deserve a warning.
DEFAULT_SAMPLES = 200
FEW = 100


@dataclass(frozen=True)
class Calibration:
    """Images to calibrate with, and to judge by."""

    images: Images  # N x 3 x H x W in 0..1, as the network takes them
    labels: NDArray[np.int64] | None  # the network's class of each, None where that is unknown
    source: str  # what a user calls them
    skipped: tuple[str, ...] = ()  # what could not be decoded, a sentence each

    @property
    def arrays(self) -> tuple[Arrays, ...]:
        """What a network takes, one image after the other."""
        return tuple((image[None],) for image in self.images)

    @property
    def description(self) -> str:
        """How many they are, and of what: ``200 images of bundled emoji``."""
        return f"{len(self.images)} images of {self.source}"

    def notes(self) -> tuple[str, ...]:
        """Return what the user should know of them, a sentence each."""
        notes = list(self.skipped[:5])
        if len(self.skipped) > len(notes):
            notes.append(f"{len(self.skipped) - len(notes)} more images were skipped.")
        if len(self.images) < FEW:
            notes.append(
                f"{self.source} gives {len(self.images)} images to calibrate with and to judge by; "
                f"with fewer than {FEW} the ranges of activations are a guess, and one image is "
                f"{100 / len(self.images):.1f} points of accuracy."
            )
        return tuple(notes)


def load_calibration(
    network: Source,
    data: str | None,
    samples: int,
    size: tuple[int, int] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Calibration:
    """Load at most ``samples`` images of ``data``.

    Args:
        network: what they are for.
        data: a folder of one folder per class, or ``bundled``: what the bundled network was
            trained on.  None means the latter for a bundled network.
        samples: how many, drawn at random, but always the same ones.
        size: height and width; those the network was trained for if None.
        progress: called with each step.

    Raises:
        UsageError: no data are named for a network that has none, too few samples, or a network
            that takes no images.
        DatasetError: a folder that is empty or holds no image that can be decoded.
    """
    if not network.input.is_image:
        raise UsageError(
            f"{network.name} takes no images, which alone quantized files are judged by here",
            "take --precision fp16, or int8-weights where the format has it.",
        )
    if samples < 1:
        raise UsageError(f"--calibration-samples must be at least 1, not {samples}.")
    if data is None and network.provenance.kind != "bundled":
        raise UsageError(
            f"Judging a quantized file needs images like those {network.name} was trained on; "
            "give a folder of one folder per class with --calibration-data."
        )
    progress("Loading images to calibrate with")
    size = size or network.input.image_size()
    if data in (None, BUNDLED):
        return _bundled(network, samples, size)
    assert data is not None
    return _from_folder(network, data, samples, size)


def _from_folder(
    network: Source, data: str, samples: int, size: tuple[int, int], name: str | None = None
) -> Calibration:
    dataset = open_dataset(data, split="calibration").limited(samples)
    own_class = None
    if network.task == "classification" and name is None:
        own_class = match_classes(dataset, network.labels, network.outputs[0].static_shape()[-1])
    skipped: list[str] = []
    preprocessing = network.preprocessing_for(image_spec(*size))
    assert preprocessing is not None  # it takes images
    found = list(batches(dataset, preprocessing, skipped))
    if not found:
        raise DatasetError(f"{dataset.folder} holds no image that can be decoded.")
    labels = [label for _, labels in found for label in labels]
    return Calibration(
        np.concatenate([images for images, _ in found]),
        np.array([own_class[label] for label in labels]) if own_class else None,
        name or dataset.name,
        tuple(skipped),
    )


def _bundled(network: Source, samples: int, size: tuple[int, int]) -> Calibration:
    """Return what the bundled network was trained on; other networks get pictures of emoji.

    The digits have no split for calibration: a sample of those held out serves.
    """
    own = network.provenance.kind == "bundled"
    location = network.provenance.location
    if own and location in DATASETS:
        return _from_folder(network, location, samples, size)
    if own:
        digits = load_held_out(location)
        chosen = np.random.default_rng(0).permutation(len(digits.images))[:samples]
        images = digits_to_input(digits.images[chosen], size)
        return Calibration(images, digits.labels[chosen], f"bundled {location}")
    return _from_folder(network, _ANY_PICTURES, samples, size, "bundled emoji")
