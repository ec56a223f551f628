"""The value of a place in the order of an axis, by the largest or smallest that lead to it.

torch.onnx, litert-torch, coremltools and ExecuTorch have `topk`, and no median.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_Placed = tuple[Tensor, Tensor]  # values, and where they stand


def kthvalue(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the ``k``-th smallest along ``dim``, from 1, and its place: ``aten.kthvalue``.

    Of equal values it may be another's place.
    """
    if x.dim() == 0:
        return NotImplemented
    dim = dim % x.dim()
    count = x.shape[dim]
    if not isinstance(count, int):
        return NotImplemented  # an open axis: how many lead to the place is not known
    from_above = count - k + 1
    if from_above < k:
        values, places = torch.topk(x, from_above, dim)
    else:
        values, places = _smallest(x, k, dim)
    values, places = values.select(dim, -1), places.select(dim, -1)
    return (values.unsqueeze(dim), places.unsqueeze(dim)) if keepdim else (values, places)


def median_of_axis(x: Tensor, dim: int, keepdim: bool = False) -> Any:
    """Return the lower median along ``dim``, and its place: ``aten.median.dim``."""
    return kthvalue(x, (x.shape[dim] + 1) // 2, dim, keepdim) if x.dim() else NotImplemented


def median(x: Tensor) -> Any:
    """Return the lower median of all values: ``aten.median``."""
    found = median_of_axis(x.reshape(-1), 0)
    return found if found is NotImplemented else found[0]


def _smallest(x: Tensor, k: int, dim: int) -> _Placed:
    """Return the ``k`` smallest in their order: the largest of -x, as LiteRT has these alone."""
    if not x.is_floating_point():
        return torch.topk(x, k, dim, largest=False)
    values, places = torch.topk(-x, k, dim)
    return -values, places


def sort(x: Tensor, dim: int = -1, descending: bool = False) -> Any:
    """Return all values of an axis in their order, and their places: ``aten.sort``."""
    if x.dim() == 0 or not isinstance(x.shape[dim], int):
        return NotImplemented
    if descending:
        return torch.topk(x, x.shape[dim], dim)
    return _smallest(x, x.shape[dim], dim % x.dim())


def argsort(x: Tensor, dim: int = -1, descending: bool = False) -> Any:
    """Return the places of an axis's values in their order: ``aten.argsort``."""
    found = sort(x, dim, descending)
    return found if found is NotImplemented else found[1]
