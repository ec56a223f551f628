"""What a pretrained network does to pixels first: scale, subtract a mean, exchange red and blue.

All of it is affine in the three colours, so that a 1 x 1 convolution in front of the network
computes it, and every format holds it::

    y = (255 f x - o - mean) / std        f: rescale_factor, o: 1 with rescale_offset

Names are those of ``preprocessor_config.json``; what holds where it is silent is transformers'.
Its processor of MobileViT never normalises, though saved files have a mean; EfficientNet's divides
by std once more (``include_top``).  MobileViT and PP-LCNet take blue first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from affnet.errors import CheckpointError
from affnet.reading import parse_json, read_text

_BLUE_FIRST = ("MobileViT", "PPLCNet")
_AS_THEY_ARE = "MobileViT"
_DIVIDES_ONCE_MORE = "EfficientNet"


def read_pixels(path: Path) -> nn.Conv2d:
    """Return the convolution that maps B x 3 x H x W images in 0..1, RGB, as the file says.

    Raises:
        CheckpointError: it is no JSON object, or its numbers are none.
    """
    try:
        settings = parse_json(read_text(path))
        if not isinstance(settings, dict):
            raise ValueError("it is no object")
        return _convolution(settings)
    except (OSError, ValueError, TypeError, ArithmeticError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error


def _convolution(settings: Mapping[str, Any]) -> nn.Conv2d:
    kind = str(settings.get("image_processor_type") or settings.get("feature_extractor_type"))
    scale, shift = torch.ones(3), torch.zeros(3)
    if settings.get("do_rescale", True):
        scale = scale * 255 * float(settings.get("rescale_factor", 1 / 255))
        shift = shift - float(bool(settings.get("rescale_offset", False)))
    else:
        scale = scale * 255  # as the pixels are, 0..255
    normalises = not kind.startswith(_AS_THEY_ARE)
    if normalises and settings.get("do_normalize", "image_mean" in settings):
        shift = shift - _colors(settings, "image_mean")
        scale, shift = (part / _colors(settings, "image_std") for part in (scale, shift))
    if kind.startswith(_DIVIDES_ONCE_MORE) and settings.get("include_top", True):
        scale, shift = (part / _colors(settings, "image_std") for part in (scale, shift))
    weight = torch.diag(scale)
    if settings.get("do_flip_channel_order", kind.startswith(_BLUE_FIRST)):
        weight, shift = weight.flip(0), shift.flip(0)
    convolution = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        convolution.weight.copy_(weight[:, :, None, None])
        convolution.bias.copy_(shift)  # type: ignore[union-attr]  # it has one
    return convolution


def _colors(settings: Mapping[str, Any], name: str) -> torch.Tensor:
    values = torch.tensor(settings.get(name), dtype=torch.float32)
    if values.shape != (3,) or (name == "image_std" and not bool((values > 0).all())):
        raise ValueError(f"{name} is {settings.get(name)!r} instead of three numbers")
    return values
