"""MobileViTv2 in operators that every format has, where transformers unfolds, folds and expands.

``im2col`` and ``col2im`` become gathers and scatters of thousands of indices in ONNX, and nothing
at all in other formats.  Patches that do not overlap are a permutation of the map::

    map        B x C x H x W  =  B x C x (rows P) x (columns P)
    patches    B x C x (P P) x (rows columns)

so that both sides of a map must be multiples of the patch's side P.  The context vector meets the
values by broadcasting; litert-torch gets its expansion wrong.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn


def simplify(model: nn.Module) -> None:
    """Let the layers of MobileViTv2 in ``model`` compute the same by other operators, in place."""
    layer: Any
    for layer in model.modules():
        if type(layer).__name__ == "MobileViTV2Layer":
            layer.unfolding = MethodType(_to_patches, layer)
            layer.folding = MethodType(_to_map, layer)
        elif type(layer).__name__ == "MobileViTV2LinearSelfAttention":
            layer.forward = MethodType(_attend, layer)


def _to_patches(layer: Any, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
    batch, channels, height, width = x.shape
    side = layer.patch_height
    # batch and channels as one axis: Core ML has five at most
    y = x.reshape(batch * channels, height // side, side, width // side, side)
    y = y.permute(0, 2, 4, 1, 3)
    return y.reshape(batch, channels, side * side, -1), (height, width)


def _to_map(layer: Any, patches: Tensor, size: tuple[int, int]) -> Tensor:
    batch, channels = patches.shape[:2]
    side, (height, width) = layer.patch_height, size
    y = patches.reshape(batch * channels, side, side, height // side, width // side)
    return y.permute(0, 3, 1, 4, 2).reshape(batch, channels, height, width)


def _attend(layer: Any, x: Tensor) -> Tensor:
    """Attend separably (arXiv 2206.02680, equation 1), B x C x pixels of a patch x patches."""
    query, key, value = layer.qkv_proj(x).split((1, layer.embed_dim, layer.embed_dim), dim=1)
    context = (key * torch.softmax(query, dim=-1)).sum(dim=-1, keepdim=True)
    attended: Tensor = layer.out_proj(torch.relu(value) * context)
    return attended
