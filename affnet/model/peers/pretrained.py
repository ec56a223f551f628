"""A peer's weights: a file of them, or a folder as ``save_pretrained`` writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from affnet.errors import CheckpointError
from affnet.files import content_sha256
from affnet.model.checkpoint import read_state_dict
from affnet.model.peers.pixels import read_pixels
from affnet.model.source_file import SAFETENSORS, check_weight_file
from affnet.model.weights import first_names
from affnet.reading import existing_file, parse_json, read_text

_CONFIG_FILE = "config.json"
_PIXELS_FILE = "preprocessor_config.json"
_TORCH = (".pt", ".pth", ".bin")  # read with weights_only
_UNNAMED = re.compile(r"LABEL_\d+")


@dataclass(frozen=True)
class Pretrained:
    """Weights, and what stands beside them in a folder."""

    path: Path  # of the file of weights
    entries: dict[str, Tensor]
    config: dict[str, Any] | None  # of config.json; None for a file alone
    pixels: nn.Module | None  # what the network wants done to images in 0..1, RGB

    def sha256(self) -> str:
        """Return the SHA-256 of the file of weights."""
        return content_sha256(self.path)

    def notes(self, name: str, classes: int) -> tuple[str, ...]:
        """Return what the user should know of the network called ``name`` with these weights."""
        found = f"{name} has the weights of {self.path}, with {classes} classes."
        if self.pixels is not None:
            return (found, f"What {_PIXELS_FILE} does to pixels in 0..1 is part of the network.")
        return (found, f"No {_PIXELS_FILE} beside them: it gets RGB images in 0..1 as they are.")


def weights_file(path: Path) -> Path:
    """Return the file of weights that ``--weights`` means.

    Raises:
        UsageError: there is none.
        CheckpointError: it is a file of another kind, or a folder without one or with several.
    """
    if path.is_dir():
        return _only_file(path)
    existing_file(path, "a file of weights or of a folder that save_pretrained wrote")
    if path.suffix not in (SAFETENSORS, *_TORCH):
        raise CheckpointError(
            f"{path} is no file of weights ({SAFETENSORS}, {', '.join(_TORCH)})",
            "save them with save_pretrained, safetensors.torch.save_file or torch.save.",
        )
    return path


def _only_file(folder: Path) -> Path:
    found = sorted(folder.glob(f"*{SAFETENSORS}"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise CheckpointError(
            f"{folder} has no safetensors file", "give a folder that save_pretrained wrote."
        )
    raise CheckpointError(
        f"{folder} has {len(found)} safetensors files, {first_names([f.name for f in found])}",
        "name the one that is meant.",
    )


def read_pretrained(path: Path) -> Pretrained:
    """Read what ``--weights`` names, with the config and the settings of pixels beside it.

    Raises:
        UsageError: as `weights_file`.
        CheckpointError: as `weights_file`, or a file is damaged, or none of its kind.
    """
    file = weights_file(path)
    check_weight_file(file)
    config = pixels = None
    if (beside := file.with_name(_CONFIG_FILE)).is_file():
        config = _read_config(beside)
    if (beside := file.with_name(_PIXELS_FILE)).is_file():
        pixels = read_pixels(beside)
    return Pretrained(file, read_state_dict(file), config, pixels)


def labels_of(id2label: object, classes: int) -> tuple[str, ...] | None:
    """Return the class names of a config, None where they say nothing but numbers."""
    if not isinstance(id2label, dict) or len(id2label) != classes:
        return None
    names = {int(key): str(value) for key, value in id2label.items()}
    if sorted(names) != list(range(classes)):
        return None
    labels = tuple(names[index] for index in range(classes))
    return None if all(map(_UNNAMED.fullmatch, labels)) else labels


def _read_config(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(read_text(path))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged or no JSON ({error}).") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is no config of a network: it holds no object.")
    return content
