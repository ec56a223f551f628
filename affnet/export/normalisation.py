"""Group normalisation as one operator that float16 cannot overflow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn


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


def replace_group_norms(model: nn.Module) -> None:
    """Give ``model``, in place, layer normalisations where it has group normalisations.

    Before, as converters without a group normalisation write it, each line a pass over the map,
    with squares of values that float16 holds up to 256 only::

        m = mean(x); d = x - m; v = mean(square(d)); y = d / sqrt(v + eps)

    After, ``y = layer_norm(x over C, H, W)``: one operator, whose sums are the runtime's business.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, WholeMapNorm(child))
