"""Windows over an axis, maps put together from patches, and differences between neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
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

    First over the height, then over the width.
    """
    batch = x.shape[:-2]
    spans = [dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    counts = [(size[i] + 2 * padding[i] - spans[i]) // stride[i] + 1 for i in (0, 1)]
    x = x.reshape(-1, kernel[0], kernel[1], *counts).transpose(2, 3)
    x = x.reshape(-1, kernel[0], counts[0], kernel[1] * counts[1])
    x = _added_up(x, size[0], stride[0], padding[0], dilation[0])
    x = x.reshape(-1, kernel[1], counts[1], 1)
    return _added_up(x, size[1], stride[1], padding[1], dilation[1]).reshape(*batch, -1, *size)


def _added_up(x: Tensor, size: int, step: int, margin: int, dilation: int) -> Tensor:
    """Add windows up where they overlap: [N, places, windows, M] -> [N, size, M].

    A window is blocks of a step (zeros make it whole ones), and block j of window f falls on block
    f + j of the result.  A dilated window has zeros between its places.
    """
    if dilation > 1:
        x = F.pad(x.unsqueeze(2), (0, 0, 0, 0, 0, dilation - 1)).flatten(1, 2)
    number, places, _, columns = x.shape
    blocks = -(-places // step)
    x = _padded(x, 1, 0, blocks * step - places).transpose(1, 2)
    pieces = (x[:, :, block * step : (block + 1) * step] for block in range(blocks))
    shifted = (_padded(piece, 1, j, blocks - 1 - j) for j, piece in enumerate(pieces))
    total = reduce(torch.add, shifted)
    total = total.reshape(number, -1, columns)
    total = _padded(total, 1, 0, max(0, margin + size - total.shape[1]))
    return total[:, margin : margin + size]


def _padded(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    return F.pad(x, (0, 0) * (x.dim() - 1 - axis) + (before, after)) if before or after else x
