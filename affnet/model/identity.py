"""Telling which network a state dict belongs to, by its names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from affnet.errors import CheckpointError
from affnet.model.create import create_model, network_name
from affnet.model.dense.anchors import ASPECT_RATIOS, COORDINATES, anchors_per_cell
from affnet.model.variants import VARIANTS
from affnet.model.weights import first_names

_ENCODER = "encoder."


def infer_network(path: Path, entries: Mapping[str, Tensor]) -> tuple[str, int]:
    """Return the network's name and its class count.

    Raises:
        CheckpointError: it is none of this package's.
    """
    head = _head(path, entries)
    name = network_name("affnet_et", head)
    # not on the meta device, where random numbers have PyTorch import its compiler, for two seconds
    expected = create_model(name).state_dict().keys()  # names are the same in all
    if len(expected & entries.keys()) < len(expected) / 2:
        raise CheckpointError(
            f"{path} is a checkpoint of another network, not AFFNet: its entries are "
            f"{first_names(list(entries))}."
        )
    classes = _class_count(path, head, entries)
    return network_name(_variant(path, entries, _ENCODER if head else ""), head), classes


def _head(path: Path, entries: Mapping[str, Tensor]) -> str:
    """Return what follows the encoder."""
    if any(key.startswith("seg_head.") for key in entries):
        return "deeplabv3"
    if any(key.startswith("ssd_heads.") for key in entries):
        return "ssdlite"
    if any(key.startswith(_ENCODER) for key in entries):
        raise CheckpointError(
            f"{path} is an encoder without a head that affnet has: neither seg_head.* (DeepLabv3) "
            "nor ssd_heads.* (SSDLite) is in it."
        )
    return ""


def _class_count(path: Path, head: str, entries: Mapping[str, Tensor]) -> int:
    """Return how many classes the last layer's shape gives."""
    last = len(ASPECT_RATIOS) - 1
    key, dimensions = {
        "": ("classifier.fc.weight", 2),
        "deeplabv3": ("seg_head.classifier.block.conv.weight", 4),
        "ssdlite": (f"ssd_heads.{last}.loc_cls_layer.block.conv.weight", 4),
    }[head]
    if key not in entries or entries[key].dim() != dimensions:
        raise CheckpointError(f"{path} has no classifier: {key} is missing or misshapen.")
    count = entries[key].shape[0]
    if head != "ssdlite":
        return count
    values, rest = divmod(count, anchors_per_cell(ASPECT_RATIOS[last]))
    if rest or values <= COORDINATES:
        raise CheckpointError(f"{path} has no classifier: {key} is missing or misshapen.")
    return values - COORDINATES


def _variant(path: Path, entries: Mapping[str, Tensor], prefix: str) -> str:
    """Return the variant whose widths fit best."""
    shapes = {key: tuple(value.shape) for key, value in entries.items()}
    fits = {}
    for name, variant in VARIANTS.items():
        c3, c4, c5 = variant.channels[2:]
        widths = {"layer_3": c3, "layer_4": c4, "layer_5": c5}
        fits[name] = sum(
            shapes.get(f"{prefix}{layer}.1.conv_proj.block.conv.weight") == (width, width, 1, 1)
            for layer, width in widths.items()
        )
    best = max(fits, key=lambda name: fits[name])
    if not fits[best]:
        raise CheckpointError(
            f"{path} is an AFFNet of widths that match none of {', '.join(VARIANTS)}."
        )
    return best
