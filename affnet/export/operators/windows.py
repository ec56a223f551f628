"""Windows over an axis, maps put together from patches, and differences between neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def unfold(x: Tensor, axis: int, size: int, step: int) -> Tensor:
    """Cut windows out of ``axis``: ``aten.unfold``, [.., L, ..] -> [.., windows, .., size]."""
    axis %= max(x.dim(), 1)
    if x.dim() == 0:
        return x.expand(size)
    windows = (x.shape[axis] - size) // step + 1
    starts = torch.arange(windows, device=x.device)[:, None] * step
    index = (starts + torch.arange(size, device=x.device)).reshape(-1)
    picked = x.index_select(axis, index)
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    return picked.reshape(*before, windows, size, *after).movedim(axis + 1, -1)


def diff(
    x: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Subtract from each element the one before it, ``n`` times: ``aten.diff``."""
    x = torch.cat([part for part in (prepend, x, append) if part is not None], dim)
    for _ in range(n):
        length = x.shape[dim]
        before, after = x.narrow(dim, 0, length - 1), x.narrow(dim, 1, length - 1)
        x = after != before if x.dtype == torch.bool else after - before
    return x


def fold(
    x: Tensor,
    size: Sequence[int],
    kernel: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Tensor:
    """Add patches up to a map: ``aten.col2im``, [B, C kh kw, L] or without B -> [B, C, H, W].

    It is the transposed convolution by kernels of a single 1, one for each place in a patch.
    """
    places, batch = kernel[0] * kernel[1], x.shape[:-2]
    spans = [dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    counts = [(size[i] + 2 * padding[i] - spans[i]) // stride[i] + 1 for i in (0, 1)]
    rest = [size[i] + 2 * padding[i] - spans[i] - (counts[i] - 1) * stride[i] for i in (0, 1)]
    numbers = torch.arange(places, device=x.device)
    kernels = (numbers[:, None] == numbers).to(x.dtype).reshape(places, 1, *kernel)
    maps = torch.nn.functional.conv_transpose2d(
        x.reshape(-1, places, *counts), kernels, None, stride, padding, rest, 1, dilation
    )
    return maps.reshape(*batch, -1, *size)
