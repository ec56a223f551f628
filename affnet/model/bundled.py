"""The trained checkpoints that affnet ships, and the images held out from their training."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Provenance
from affnet.errors import UnknownNameError

#: Names that work wherever a SOURCE does.
BUNDLED = ("digits", "emoji")
#: Data sets that can be named instead of a folder, with their splits.
DATASETS = {"emoji": ("heldout", "calibration")}


@dataclass(frozen=True)
class HeldOut:
    """Images that a bundled checkpoint never saw."""

    images: NDArray[np.uint8]  # N x 28 x 28, grey
    labels: NDArray[np.int64]


def bundled_folder(name: str) -> Path:
    """Return the folder of a bundled source: weights.safetensors, config.yaml, labels.txt."""
    if name not in BUNDLED:
        raise UnknownNameError("bundled source", name, BUNDLED)
    return Path(str(files("affnet"))) / "data" / name


def dataset_folder(name: str, split: str) -> Path:
    """Return the folder of a bundled data set's split: one folder of images per class."""
    if name not in DATASETS:
        raise UnknownNameError("bundled data set", name, DATASETS)
    if split not in DATASETS[name]:
        raise UnknownNameError(f"split of {name}", split, DATASETS[name])
    return Path(str(files("affnet"))) / "data" / name / split


def load_held_out(name: str = "digits") -> HeldOut:
    """Read the images held out from the training of a bundled source."""
    with np.load(bundled_folder(name) / "heldout.npz", allow_pickle=False) as content:
        return HeldOut(content["images"], content["labels"])


def photographs() -> tuple[Path, ...]:
    """Return the files of the bundled photographs, 256 x 256 pixels."""
    folder = Path(str(files("affnet"))) / "data" / "photographs"
    return tuple(sorted(folder.glob("*.jpg")))


def licence_of_weights(provenance: Provenance) -> str | None:
    """Return the licence of an artifact's weights as hubs name it, None where it is not known."""
    bundled = provenance.kind == "bundled" and provenance.location in BUNDLED
    return "mit" if bundled else None
