"""Forms of AFFNet's normalisations: without squares that overflow in float16, or channels last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.model.layers import ChannelLayerNorm


class WholeMapNorm(nn.Module):
    """`torch.nn.GroupNorm` written as a layer normalisation of each group, then scale and shift."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.groups = norm.num_groups
        self.eps = norm.eps
        self.weight, self.bias = cast("Sequence[nn.Parameter | None]", (norm.weight, norm.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x .. to the same shape."""
        grouped = x
        if self.groups > 1:  # of few groups, a reshape that would change nothing is no pass
            grouped = x.reshape(-1, x.shape[1] // self.groups, *x.shape[2:])
        y = F.layer_norm(grouped, grouped.shape[1:], eps=self.eps).reshape(x.shape)
        shape = (-1, *[1] * (x.ndim - 2))
        if self.weight is not None:
            y = y * self.weight.view(shape)
        return y if self.bias is None else y + self.bias.view(shape)


class VectorNorm(nn.Module):
    """`ChannelLayerNorm` with the deviation at each pixel as the length of its vector of channels.

    With ``d = x - mean(x)`` over C channels, ``sqrt(mean(square(d))) = |d| / sqrt(C)``, so that::

        d / (sqrt(mean(square(d))) + eps) = sqrt(C) d / (|d| + sqrt(C) eps)

    The factor before ``d`` joins the scale.  That of the epsilon lifts 1e-5, which float16 holds
    as a subnormal number only, into the normal range for 38 channels and more.
    """

    def __init__(self, norm: ChannelLayerNorm) -> None:
        super().__init__()
        root = math.sqrt(len(norm.weight))
        self.eps = root * norm.eps
        self.weight = nn.Parameter(root * norm.weight.detach())
        self.bias = norm.bias

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        centred = x - x.mean(dim=1, keepdim=True)
        length: Tensor = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
        weight, bias = self.weight.view(-1, 1, 1), self.bias.view(-1, 1, 1)
        y: Tensor = centred / (length + self.eps) * weight + bias
        return y


class ChannelsLastNorm(nn.Module):
    """`torch.nn.GroupNorm` of one group on maps whose channels stand last.

    Its statistics go over the whole map and do not see the layout, but converters that keep
    channels last write it for channels first, between two transposes.  The permutations here meet
    those of the convolutions around it, so that none is left.
    """

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.eps = norm.eps
        self.weight, self.bias = cast("Sequence[nn.Parameter | None]", (norm.weight, norm.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        pixels = x.permute(0, 2, 3, 1)
        centred = pixels - pixels.mean(dim=(1, 2, 3), keepdim=True)
        variance = (centred * centred).mean(dim=(1, 2, 3), keepdim=True)
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:  # one pass over the map for both scales
            scale = scale * self.weight
        y = centred * scale
        if self.bias is not None:
            y = y + self.bias
        return y.permute(0, 3, 1, 2)


def keep_channels_last(model: nn.Module) -> None:
    """Write ``model``'s normalisations over whole maps, in place, as `ChannelsLastNorm`."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.GroupNorm) and child.num_groups == 1:
                setattr(module, name, ChannelsLastNorm(child))


def replace_norms(model: nn.Module) -> None:
    """Write both forms of AFFNet's normalisation, in ``model`` and in place, without squares.

    Before, as converters write them, each line a pass over the map, with squares of values that
    float16 holds up to 256 only::

        m = mean(x); d = x - m; v = mean(square(d)); y = d / sqrt(v + eps)  # group normalisation
        m = mean(x); d = x - m; v = mean(square(d)); y = d / (sqrt(v) + eps)  # the other form

    After, with the squares and their sums inside an operator, and so the runtime's business::

        y = layer_norm(x over C, H, W)
        m = mean(x); d = x - m; y = d / (vector_norm(d over C) + eps)
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, WholeMapNorm(child))
    replace_channel_norms(model)


def replace_channel_norms(model: nn.Module) -> None:
    """Write the other form only, in place, as `replace_norms` does.

    It is for formats whose group normalisation is an operator.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, ChannelLayerNorm):
                setattr(module, name, VectorNorm(child))
