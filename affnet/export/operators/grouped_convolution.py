"""Convolutions of volumes in groups of channels: one convolution for each group.

litert-torch has no conversion of a grouped convolution over three axes, and with a stride beside
other convolutions it ends the process by a segmentation fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def conv3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = (1, 1, 1),
    padding: Any = (0, 0, 0),
    dilation: Any = (1, 1, 1),
    groups: int = 1,
) -> Any:
    """`torch.nn.functional.conv3d` of a batch or of one volume."""
    if groups == 1:
        return NotImplemented
    biases: Sequence[Any] = [None] * groups if bias is None else bias.chunk(groups)
    results = [
        F.conv3d(part, kernels, offsets, stride, padding, dilation)
        for part, kernels, offsets in zip(
            x.chunk(groups, -4), weight.chunk(groups), biases, strict=True
        )
    ]
    return torch.cat(results, -4)
