"""Places counted and sums at places, written with comparisons: where converters lack the operators.

LiteRT loads no ``stablehlo.scatter`` that adds up what torch's ``index_add`` and ``scatter_add``
put in one place; a product with zeros and ones does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: Ones and zeros of a product; beyond it the operator stays.
_MAX_ELEMENTS = 1 << 20


def bucketize(x: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Any:
    """Return how many boundaries are below each value: ``aten.bucketize``."""
    if not torch.is_tensor(x):
        return NotImplemented
    return _passed(x.unsqueeze(-1), boundaries, right, out_int32)


def searchsorted(
    boundaries: Tensor,
    x: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Any:
    """Return how many boundaries of its row are below each value: ``aten.searchsorted``."""
    if not torch.is_tensor(x) or sorter is not None:
        return NotImplemented
    rows = boundaries if boundaries.dim() == 1 else boundaries.unsqueeze(-2)
    return _passed(x.unsqueeze(-1), rows, right or side == "right", out_int32)


def _passed(x: Tensor, boundaries: Tensor, right: bool, out_int32: bool) -> Tensor:
    """Return how many of the last axis are below; all for NaN, which torch sorts last."""
    stops = x < boundaries if right else x <= boundaries
    passed = torch.where(stops, 0.0, 1.0).sum(-1)
    return passed.to(torch.int32 if out_int32 else torch.int64)


def one_hot(x: Tensor, num_classes: int = -1) -> Any:
    """Return 1 at each class, else 0, with no check of the classes: ``aten.one_hot``."""
    if num_classes < 1:
        return NotImplemented
    return (x.unsqueeze(-1) == torch.arange(num_classes, device=x.device)).to(torch.int64)


def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Any:
    """Return ``x`` with slices of ``source`` added at the places: ``aten.index_add``."""
    if x.dim() == 0 or not _fits(x, x.shape[dim], index.numel()):
        return NotImplemented
    ones = _ones(index.reshape(-1), x.shape[dim], x.dtype)
    added = (source.movedim(dim, -1) @ ones).movedim(-1, dim)
    return x + (added if alpha == 1 else alpha * added)


def scatter_add(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Any:
    """Return ``x`` with each number of ``source`` added at its place: ``aten.scatter_add``."""
    if x.dim() == 0 or not _fits(x, x.shape[dim], index.numel()):
        return NotImplemented
    for axis in range(x.dim()):
        source = source.narrow(axis, 0, index.shape[axis])
        if axis != dim % x.dim() and index.shape[axis] != x.shape[axis]:
            return NotImplemented
    ones = _ones(index.movedim(dim, -1), x.shape[dim], x.dtype)
    added = source.movedim(dim, -1).unsqueeze(-2) @ ones
    return x + added.squeeze(-2).movedim(-1, dim)


def _fits(x: Tensor, length: Any, count: Any) -> bool:
    fixed = isinstance(length, int) and isinstance(count, int)
    return x.is_floating_point() and fixed and length * count <= _MAX_ELEMENTS


def _ones(index: Tensor, length: int, dtype: torch.dtype) -> Tensor:
    """Return 1 in the column of each place, else 0."""
    is_there = index.unsqueeze(-1) == torch.arange(length, device=index.device)
    return torch.where(is_there, 1.0, 0.0).to(dtype)
