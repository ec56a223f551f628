"""Average pools as coreai-torch takes them.

It counts padding whether a pool is to or not, and fails at one that rounds its size up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def avg_pool2d(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Any:
    """Average windows: ``aten.avg_pool2d``, on a map that is padded beforehand."""
    kernel, padding = [*kernel, *kernel][:2], [*padding, *padding][:2]
    stride = [*stride, *stride][:2] or kernel
    if not ceil_mode and (count_include_pad or divisor or not any(padding)):
        return NotImplemented
    windows = [
        _Windows(x.shape[axis - 2], kernel[axis], stride[axis], padding[axis], ceil_mode)
        for axis in (0, 1)
    ]
    rows, columns = windows
    padded = F.pad(x, (columns.padding, columns.behind(), rows.padding, rows.behind()))
    total = F.avg_pool2d(padded, kernel, stride) * (kernel[0] * kernel[1])
    if divisor:
        return total / divisor
    heights, widths = (window.lengths(count_include_pad, x) for window in windows)
    return total / (heights[:, None] * widths)


class _Windows:
    """Those along one axis."""

    def __init__(self, size: int, kernel: int, stride: int, padding: int, ceil: bool) -> None:
        self.size, self.kernel, self.stride, self.padding = size, kernel, stride, padding
        free = size + 2 * padding - kernel
        self.count = (free + (stride - 1 if ceil else 0)) // stride + 1
        if (self.count - 1) * stride >= size + padding:  # it would begin behind the map
            self.count -= 1

    def behind(self) -> int:
        """Return how much the axis is padded, or cut where negative, at its end."""
        return (self.count - 1) * self.stride + self.kernel - self.size - self.padding

    def lengths(self, with_padding: bool, x: Tensor) -> Tensor:
        """Return how many places of each window count, in the type of ``x``."""
        border = self.padding if with_padding else 0
        starts = torch.arange(self.count, device=x.device) * self.stride - self.padding
        ends = (starts + self.kernel).clamp(max=self.size + border)
        return (ends - starts.clamp(min=-border)).to(x.dtype)
