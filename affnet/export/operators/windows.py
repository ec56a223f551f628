"""Windows that slide over an axis, and differences between neighbours, by index and by slice."""

from __future__ import annotations

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
    x: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Subtract from each element the one before it, ``n`` times: ``aten.diff``."""
    x = torch.cat([part for part in (prepend, x, append) if part is not None], dim)
    for _ in range(n):
        length = x.shape[dim]
        before, after = x.narrow(dim, 0, length - 1), x.narrow(dim, 1, length - 1)
        x = after != before if x.dtype == torch.bool else after - before
    return x
