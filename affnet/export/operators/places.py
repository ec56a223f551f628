"""Places counted, written with comparisons: where converters lack the operators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


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
