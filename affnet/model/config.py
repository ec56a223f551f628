"""The training config that lies beside a published checkpoint."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from affnet.errors import ConfigError
from affnet.model.mixers import MIXERS
from affnet.model.variants import VARIANTS
from affnet.reading import existing_file, read_text

_ACTIVATION_KEYS = ("model.classification.activation.name", "model.activation.name")
#: Where the class count of each head stands; the dense tasks' configs hold the encoder's too.
_CLASSES_KEYS = {
    "": "model.classification.n_classes",
    "deeplabv3": "model.segmentation.n_classes",
    "ssdlite": "model.detection.n_classes",
}
_MOST_KEYS = 10_000  # those published have some hundred, in some kB
_LARGEST_BYTES = 1_000_000
_SLOPE_KEYS = ("model.classification.activation.neg_slope", "model.activation.neg_slope")


@dataclass(frozen=True)
class TrainingConfig:
    """What a config says of the network; None where it is silent."""

    path: Path
    variant: str | None
    num_classes: dict[str, int]  # by the network's head, `affnet.model.create.HEADS`
    activation: str | None
    attn_norm: str | None
    mixer: str | None  # in the frequency filter's place: what `examples/train.py --mixer` writes
    image_size: tuple[int, int] | None  # of evaluation, height and width


def read_config(path: Path) -> TrainingConfig:
    """Read a YAML config with nested or dotted keys, in any mixture.

    Raises:
        UsageError: no such file.
        ConfigError: it is no YAML mapping, or names a network this package does not have.
    """
    existing_file(path, "a training config (YAML)")
    try:
        content = yaml.safe_load(read_text(path, _LARGEST_BYTES))
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:  # or no such date
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise ConfigError(f"{path} is not valid YAML{where}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a training config: it holds no keys.")
    try:
        flat = [*itertools.islice(_flatten(content), _MOST_KEYS + 1)]
    except RecursionError as error:
        raise ConfigError(f"{path} is not a training config: its keys hold themselves.") from error
    if len(flat) > _MOST_KEYS:  # few lines make billions, by aliases of aliases
        raise ConfigError(f"{path} is not a training config: it has over {_MOST_KEYS} keys.")
    keys = dict(flat)
    slope = next((keys[key] for key in _SLOPE_KEYS if key in keys), 0.1)
    activation = next((keys[key] for key in _ACTIVATION_KEYS if keys.get(key)), None)
    if activation == "leaky_relu" and slope != 0.1:
        raise ConfigError(f"{path} sets a negative slope of {slope}; only 0.1 is supported.")
    classes = {head: keys[key] for head, key in _CLASSES_KEYS.items() if keys.get(key) is not None}
    for head, count in classes.items():
        if not isinstance(count, int):
            raise ConfigError(f"{path}: {_CLASSES_KEYS[head]} is {count!r}, not a number.")
    attn_norm = keys.get("model.classification.affnet.attn_norm_layer")
    return TrainingConfig(
        path=path,
        variant=_variant(path, keys.get("model.classification.affnet.mode")),
        num_classes=classes,
        activation=None if activation is None else str(activation),
        attn_norm=None if attn_norm is None else str(attn_norm),
        mixer=_mixer(path, keys.get("model.classification.affnet.mixer")),
        image_size=_image_size(keys.get("image_augmentation.center_crop.size")),
    )


def find_config(checkpoint: Path) -> Path | None:
    """Return the config beside a checkpoint: of its name, ``config.yaml``, or the only one."""
    folder = checkpoint.parent
    for suffix in (".yaml", ".yml"):
        for candidate in (checkpoint.with_suffix(suffix), folder / f"config{suffix}"):
            if candidate.is_file():
                return candidate
    others = [p for p in folder.iterdir() if p.suffix in (".yaml", ".yml")]
    return others[0] if len(others) == 1 else None


def _flatten(content: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys with their values; the published code writes ``-`` and ``_`` alike."""
    for key, value in content.items():
        name = prefix + str(key).replace("-", "_")
        if isinstance(value, dict):
            yield from _flatten(value, name + ".")
        else:
            yield name, value


def _variant(path: Path, mode: Any) -> str | None:
    if mode is None:
        return None
    for variant in VARIANTS.values():
        if mode in (variant.mode, variant.name):
            return variant.name
    modes = ", ".join(variant.mode for variant in VARIANTS.values())
    raise ConfigError(
        f"{path} names the mode {mode!r}, of which no network is published; supported: {modes}."
    )


def _mixer(path: Path, name: Any) -> str | None:
    if name is not None and name not in MIXERS:
        raise ConfigError(f"{path} names the token mixer {name!r}; there are {', '.join(MIXERS)}.")
    return None if name is None else str(name)


def _image_size(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if isinstance(size, list | tuple) and len(size) == 2 and all(isinstance(n, int) for n in size):
        return size[0], size[1]
    return None
