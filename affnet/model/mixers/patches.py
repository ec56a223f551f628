"""MobileViT's unfolding of maps into pixels by their place in a patch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

SIDE = 2  # of a patch, as published


def unfold(x: Tensor) -> Tensor:
    """Turn B x C x H x W into B x C x N / 4 x 4: patches, and the pixels within each.

    A side that is odd is first made even by bilinear resizing, as the published code does.
    """
    batch, channels, height, width = x.shape
    if height % SIDE or width % SIDE:
        height, width = (side + side % SIDE for side in (height, width))
        x = F.interpolate(x, (height, width), mode="bilinear", align_corners=False)
    rows = x.reshape(-1, SIDE, width // SIDE, SIDE).transpose(1, 2)
    return rows.reshape(batch, channels, height * width // SIDE**2, SIDE**2)


def fold(patches: Tensor, height: int, width: int) -> Tensor:
    """Undo `unfold`."""
    batch, channels = patches.shape[:2]
    even_height, even_width = (side + side % SIDE for side in (height, width))
    rows = patches.reshape(-1, even_width // SIDE, SIDE, SIDE).transpose(1, 2)
    x = rows.reshape(batch, channels, even_height, even_width)
    if (even_height, even_width) != (height, width):
        x = F.interpolate(x, (height, width), mode="bilinear", align_corners=False)
    return x
