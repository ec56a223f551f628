"""Running sums in blocks, so that each is of few additions.

Kernels of every format add one element after another in float32, and their error grows with the
length; PyTorch adds in float64.  The sums of blocks are summed up in turn, in blocks again::

    y[b, i] = (x[b, 0] + .. + x[b, i]) + (total[0] + .. + total[b - 1])
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_BLOCK = 32
_LEAST = 2 * _BLOCK  # elements, of which fewer are left as they are


def cumsum(x: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Any:
    """`torch.cumsum` of floats along an axis of known length."""
    if dtype is not None:
        x = x.to(dtype)
    length = x.shape[dim] if x.dim() else 1
    if not (x.is_floating_point() and isinstance(length, int) and length > _LEAST):
        return NotImplemented
    behind = x.shape[dim % x.dim() + 1 :]
    columns = (math.prod(behind),) if behind else ()
    return _in_blocks(x.reshape(-1, length, *columns), length).reshape(x.shape)


def _in_blocks(x: Tensor, length: int) -> Tensor:
    """Sum along the second of two axes or three."""
    if length <= _LEAST:
        return x.cumsum(1)
    columns, count = x.shape[2:], -(-length // _BLOCK)
    widths = [0, 0] * len(columns)
    if missing := count * _BLOCK - length:
        x = F.pad(x, (*widths, 0, missing))
    sums = x.reshape(-1, count, _BLOCK, *columns).cumsum(2)
    totals = _in_blocks(sums.select(2, _BLOCK - 1), count)
    before = F.pad(totals.narrow(1, 0, count - 1), (*widths, 1, 0)).unsqueeze(2)
    return (sums + before).reshape(-1, count * _BLOCK, *columns).narrow(1, 0, length)
