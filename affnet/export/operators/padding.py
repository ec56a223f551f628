"""Padding by the other end of an axis or below 0, which coremltools has not, and by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def pad(x: Tensor, widths: Sequence[int], mode: str = "constant", value: Any = None) -> Any:
    """Return ``x`` between parts of itself if ``mode`` is circular, cut where a width is below 0.

    Of ``aten.pad`` all else stays.
    """
    if not all(isinstance(width, int) for width in widths):
        return NotImplemented
    if mode == "constant" and min(widths, default=0) < 0:
        for number in range(len(widths) // 2):
            axis = x.dim() - 1 - number
            before, behind = (max(-width, 0) for width in widths[2 * number : 2 * number + 2])
            x = x.narrow(axis, before, x.shape[axis] - before - behind)
        return F.pad(x, [max(width, 0) for width in widths], value=value)
    if mode != "circular" or min(widths, default=0) < 0:
        return NotImplemented
    for number in range(len(widths) // 2):
        axis = x.dim() - 1 - number
        before, behind = widths[2 * number : 2 * number + 2]
        length = x.shape[axis]
        parts = [x.narrow(axis, length - before, before), x, x.narrow(axis, 0, behind)]
        x = torch.cat([part for part in parts if part.shape[axis]], axis)
    return x


def convolution_padded_by_name(axes: int) -> Any:
    """Return the rule for ``aten.conv1d.padding``, ``conv2d.padding`` or ``conv3d.padding``.

    As in torch, an odd margin has its larger half behind.
    """
    convolution = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]

    def rule(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: str = "valid",
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        if padding == "same":
            steps = [*dilation] * axes if isinstance(dilation, Sequence) else [dilation] * axes
            margins: list[int] = []
            for axis in reversed(range(axes)):
                total = steps[axis] * (weight.shape[2 + axis] - 1)
                margins += [total // 2, total - total // 2]
            x = F.pad(x, margins)
        return convolution(x, weight, bias, stride, 0, dilation, groups)

    return rule
