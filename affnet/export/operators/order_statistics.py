"""The value of a place in the order of an axis, by the largest or smallest that lead to it.

torch.onnx, litert-torch, coremltools and ExecuTorch have `topk`, and no median.  None has a stable
sort, and litert-torch and ExecuTorch sort for a quantile what their runtimes do not sort.
"""

from __future__ import annotations

import math
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


def stable_sort(
    x: Tensor,
    *,
    stable: bool | None = None,  # noqa: ARG001 - whether or not: topk takes the first of equals
    dim: int = -1,
    descending: bool = False,
) -> Any:
    """Return `sort`: ``aten.sort.stable``."""
    return sort(x, dim, descending)


def plain_sort(
    x: Tensor,
    *,
    stable: bool | None = None,  # noqa: ARG001
    dim: int = -1,
    descending: bool = False,
) -> Any:
    """Return the same by the operator of converters that have one."""
    return torch.ops.aten.sort.default(x, dim, descending)


def msort(x: Tensor) -> Any:
    """Return all values of the first axis in their order: ``aten.msort``."""
    found = sort(x, 0)
    return found if found is NotImplemented else found[0]


def quantile(
    x: Tensor,
    q: float,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Any:
    """Return the value below which a part ``q`` of those along ``dim`` lies: ``aten.quantile``."""
    if dim is None:
        found = quantile(x.reshape(-1), q, 0, interpolation=interpolation)
        return found.reshape([1] * x.dim()) if found is not NotImplemented and keepdim else found
    ordered = sort(x, dim)
    if ordered is NotImplemented:
        return NotImplemented
    place = q * (x.shape[dim] - 1)
    below, above = math.floor(place), math.ceil(place)
    part = {
        "linear": place - below, "lower": 0, "higher": 1, "midpoint": 0.5,
        "nearest": round(place) - below,
    }[interpolation]  # fmt: skip
    low, high = (ordered[0].select(dim, each) for each in (below, above))
    result = low if part == 0 or below == above else low + (high - low) * part
    return result.unsqueeze(dim) if keepdim else result
