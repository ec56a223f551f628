"""Published and home-made checkpoints, read without ever running code from them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affnet.errors import CheckpointError, ConfigError, UnknownNameError
from affnet.files import content_sha256
from affnet.model.config import TrainingConfig, find_config, read_config
from affnet.model.create import NETWORKS, Network, create_model, head_of, network_name
from affnet.model.identity import infer_network
from affnet.model.random_state import leaving_random_state
from affnet.model.source_file import SAFETENSORS, check_weight_file, unreadable
from affnet.model.weights import check_plain, fill, first_names, read_safetensors

_WEIGHTS_KEYS = ("model_state_dict", "state_dict")
_EMA_KEY = "ema_state_dict"
_AUXILIARY_HEAD = "seg_head.aux_head."
_DEFAULTS = {"activation": "swish", "attn_norm": "layer_norm_2d"}


class AssumptionWarning(UserWarning):
    """A setting that neither the checkpoint nor its config gives."""


@dataclass(frozen=True)
class Checkpoint:
    """A network filled from a checkpoint, in eval mode."""

    model: Network
    name: str  # of the network: `affnet.model.create.NETWORKS`
    path: Path
    sha256: str
    config: TrainingConfig | None
    notes: tuple[str, ...]  # what was found or assumed, a sentence each


def load_checkpoint(
    path: str | Path,
    *,
    variant: str | None = None,
    config: str | Path | None = None,
    activation: str | None = None,
    attn_norm: str | None = None,
    ema: bool = False,
) -> Network:
    """Return the network of a checkpoint, in eval mode.

    The network and its class count follow from names and shapes; activation and normalisation from
    the arguments, else from ``config``, else from a YAML file beside the checkpoint, else they are
    the published recipes' swish and layer_norm_2d, which raises an `AssumptionWarning`.

    Args:
        path: a state dict, a training checkpoint (``.pt``) or a safetensors file.
        variant: the network it must be, such as ``affnet_et`` or ``affnet_et_deeplabv3``; None
            takes what the shapes say.
        config: the training config, YAML.
        activation: overrides the config.
        attn_norm: overrides the config.
        ema: take the exponential moving average of the weights from a training checkpoint.

    Raises:
        CheckpointError: the file is no checkpoint, is damaged, holds code, or is not this network.
        ConfigError: the config cannot be read or contradicts the checkpoint.
    """
    checkpoint = read_checkpoint(
        Path(path),
        variant=variant,
        config=None if config is None else Path(config),
        activation=activation,
        attn_norm=attn_norm,
        ema=ema,
    )
    for note in checkpoint.notes:
        warnings.warn(note, AssumptionWarning, stacklevel=2)
    return checkpoint.model


@leaving_random_state
def read_checkpoint(
    path: Path,
    *,
    variant: str | None = None,
    config: Path | None = None,
    activation: str | None = None,
    attn_norm: str | None = None,
    ema: bool = False,
) -> Checkpoint:
    """Do the work of `load_checkpoint`, and note what was assumed instead of warning."""
    check_weight_file(path)
    if variant not in (None, *NETWORKS):
        raise UnknownNameError("variant", variant, NETWORKS)
    found = config if config is not None else find_config(path)
    training = read_config(found) if found is not None else None
    entries = read_state_dict(path, ema=ema)
    entries, notes = _without_auxiliary_head(path, entries)
    name, num_classes = infer_network(path, entries)
    _check_claims(path, name, num_classes, variant, training)

    settings: dict[str, Any] = {"activation": activation, "attn_norm": attn_norm}
    for key, value in settings.items():
        if value is None and training is not None:
            settings[key] = value = getattr(training, key)
        if value is None:
            settings[key] = _DEFAULTS[key]
            notes.append(
                f"Neither {path.name} nor a config gives its {key}: assumed {_DEFAULTS[key]}."
            )
    if training is not None and training.mixer is not None:
        settings |= {"mixer": training.mixer, "image_size": training.image_size}
    model = create_model(name, num_classes=num_classes, **settings)
    fill(path, name, model, entries)
    return Checkpoint(model.eval(), name, path, content_sha256(path), training, tuple(notes))


def read_state_dict(path: Path, *, ema: bool = False) -> dict[str, Tensor]:
    """Return the weights of a checkpoint, without the prefix of distributed training.

    Raises:
        CheckpointError: the file is damaged, holds code, or holds no weights.
    """
    return _select_state_dict(path, _read_file(path), ema)


def _read_file(path: Path) -> Any:
    """Return the content of a safetensors or torch file."""
    if path.suffix == SAFETENSORS:
        return read_safetensors(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd pickle protocols; the errors say more
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises nearly every kind here; which one tells nothing
        raise unreadable(path) from error


def _select_state_dict(path: Path, content: Any, ema: bool) -> dict[str, Tensor]:
    """Find the weights in what the file holds, and strip the prefix of distributed training."""
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a state dict.")
    if ema:
        if _EMA_KEY not in content:
            raise CheckpointError(
                f"{path} has no EMA weights (no {_EMA_KEY!r} entry)",
                "drop --ema, or give the checkpoint_ema_*.pt file without --ema.",
            )
        content = content[_EMA_KEY]
    else:
        content = next((content[key] for key in _WEIGHTS_KEYS if key in content), content)
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{path} holds no weights.")
    strays = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if strays:
        raise CheckpointError(f"{path} is not a state dict: no tensors in {first_names(strays)}.")
    entries = {str(key): value for key, value in content.items()}
    check_plain(path, entries)
    if all(key.startswith("module.") for key in entries):
        entries = {key.removeprefix("module."): value for key, value in entries.items()}
    return entries


def _without_auxiliary_head(
    path: Path, entries: dict[str, Tensor]
) -> tuple[dict[str, Tensor], list[str]]:
    """Drop what only a segmentation network's training uses; return a sentence if it was there."""
    kept = {key: value for key, value in entries.items() if not key.startswith(_AUXILIARY_HEAD)}
    if len(kept) == len(entries):
        return entries, []
    return kept, [
        f"{path.name} has an auxiliary head ({_AUXILIARY_HEAD}*), which only training uses: "
        "ignored."
    ]


def _check_claims(
    path: Path, name: str, num_classes: int, variant: str | None, config: TrainingConfig | None
) -> None:
    """Raise if the caller or the config names another network than the shapes do."""
    if variant is not None and variant != name:
        raise CheckpointError(f"{path} is a checkpoint of {name}, not of {variant}.")
    if config is None:
        return
    if config.variant is not None and network_name(config.variant, head_of(name)) != name:
        raise ConfigError(
            f"{config.path} describes {config.variant}, but {path.name} has the shapes of {name}",
            "give the right config (--config of affnet export, eval and verify).",
        )
    claimed = config.num_classes.get(head_of(name))
    if claimed not in (None, num_classes):
        raise ConfigError(
            f"{config.path} says {claimed} classes, but {path.name} has {num_classes}",
            "give the right config (--config of affnet export, eval and verify).",
        )
