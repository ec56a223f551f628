"""Checkpoints as people have them, written into a folder."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affnet import create_model
from affnet.model.network import AFFNet
from tests.reference import fill

CLASSES = 6


@functools.cache
def reference_network(
    name: str = "affnet_et", activation: str = "swish", attn_norm: str = "layer_norm_2d"
) -> AFFNet:
    """Return a filled network; treat it as read-only."""
    return fill(create_model(name, num_classes=CLASSES, activation=activation, attn_norm=attn_norm))


def state_dict(name: str = "affnet_et") -> dict[str, Tensor]:
    """Return a new dict of that network's tensors."""
    return dict(reference_network(name).state_dict())


def save(folder: Path, content: Any, name: str = "checkpoint_best.pt", **options: Any) -> Path:
    """Write ``content`` as torch does."""
    path = folder / name
    torch.save(content, path, **options)
    return path


def save_config(folder: Path, text: str, name: str = "config.yaml") -> Path:
    """Write a training config."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
