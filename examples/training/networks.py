"""The networks that can be trained, and the folders that hold them afterwards."""

from __future__ import annotations

from pathlib import Path

import yaml
from safetensors.torch import save
from torch import nn

import affnet
from affnet.errors import UsageError
from affnet.files import write_whole
from affnet.model.checkpoint import read_checkpoint
from affnet.model.network import AFFNet
from affnet.model.peers import PEERS
from affnet.model.peers.blueprint import import_transformers
from affnet.model.peers.building import LogitsOnly
from affnet.model.variants import VARIANTS
from affnet.silence import silenced

NETWORKS = (*VARIANTS, "mobilevit_xxs", "mobilevit_xs", "mobilevit_s")


def create(name: str, classes: tuple[str, ...], mixer: str, image_size: int) -> nn.Module:
    """Build a network with random weights for ``classes``; only AFFNet takes another mixer.

    ``image_size`` is the side of the images, for mixers that are made for one size.
    """
    if name in VARIANTS:
        return affnet.create_model(
            name, num_classes=len(classes), mixer=mixer, image_size=(image_size, image_size)
        )
    transformers, peer = import_transformers(f"Training {name}"), PEERS[name]
    with silenced():
        config = getattr(transformers, peer.config_class)(
            id2label=dict(enumerate(classes)),
            label2id={label: index for index, label in enumerate(classes)},
            **peer.config,
        )
        model = getattr(transformers, peer.model_class)(config)
    for module in model.modules():
        # as MobileViT's authors do; transformers draws them far too small to train on
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    return LogitsOnly(model, peer.output)


def load_for_classes(checkpoint: Path, config: Path | None, classes: tuple[str, ...]) -> AFFNet:
    """Read a checkpoint of AFFNet, and give it a new, random classifier for ``classes``.

    Raises:
        UsageError: it is no classifier.
        CheckpointError, ConfigError: as `affnet.load_checkpoint`.
    """
    model = read_checkpoint(checkpoint, config=config).model
    if not isinstance(model, AFFNet):
        raise UsageError(f"{checkpoint} is no classifier; give one of AFFNet.")
    model.classifier.fc = nn.Linear(model.variant.head_channels, len(classes))
    model.num_classes = len(classes)
    return model


def write_network(
    model: nn.Module, classes: tuple[str, ...], image_size: int, folder: Path
) -> Path:
    """Write weights and config as the published code, or transformers, has them, and the labels."""
    if isinstance(model, LogitsOnly):
        weights, name, text = model.model, "config.json", model.model.config.to_json_string()
    else:
        assert isinstance(model, AFFNet)
        weights, name, text = model, "config.yaml", _config(model, image_size)
    state = {key: value.contiguous() for key, value in weights.state_dict().items()}
    write_whole(folder / "weights.safetensors", save(state))
    write_whole(folder / name, text)
    write_whole(folder / "labels.txt", "".join(f"{label}\n" for label in classes))
    return folder / "weights.safetensors"


def _config(model: AFFNet, image_size: int) -> str:
    classification = {
        "name": "affnet",
        "n_classes": model.num_classes,
        "affnet": {
            "mode": model.variant.mode,
            "attn_norm_layer": model.attn_norm,
            **({} if model.mixer == "aff" else {"mixer": model.mixer}),
        },
        "activation": {"name": model.activation},
    }
    return yaml.safe_dump(
        {
            "model": {"classification": classification},
            "image_augmentation": {"center_crop": {"size": image_size}},
        },
        sort_keys=False,
    )
