"""The order of equal numbers, which PyTorch leaves open where it sorts or picks.

``torch.topk`` of zeros takes the places that its algorithm meets first, another runtime's others;
both are right.  ``argmax`` and ``max`` are not among these: they take the first of equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_Results = tuple[Tensor, Tensor]


def ordered(func: Any, args: Any, kwargs: Any, *, last_first: bool) -> _Results | None:
    """Return what ``func`` gives if of equal numbers the first counts first, or the last.

    None where ``func`` leaves no order open.
    """
    order = _ORDERS.get(func)
    return None if order is None else order(last_first, *args, **kwargs)


def _sort(last_first: bool, x: Tensor, dim: int = -1, descending: bool = False) -> _Results:
    if x.ndim == 0:
        return x, torch.zeros_like(x, dtype=torch.long)
    x = x.flip(dim) if last_first else x
    values, places = torch.sort(x, stable=True, dim=dim, descending=descending)
    return values, x.shape[dim] - 1 - places if last_first else places


def _topk(
    last_first: bool, x: Tensor, k: int, dim: int = -1, largest: bool = True, *_: Any, **__: Any
) -> _Results:
    values, places = _sort(last_first, x, dim, largest)
    if x.ndim == 0:
        return values, places
    return values.narrow(dim, 0, k), places.narrow(dim, 0, k)


def _kthvalue(
    last_first: bool, x: Tensor, k: int, dim: int = -1, keepdim: bool = False
) -> _Results:
    return _placed(last_first, x, torch.kthvalue(x, k, dim, keepdim=True)[0], dim, keepdim)


def _median(last_first: bool, x: Tensor, dim: int, keepdim: bool = False) -> _Results:
    return _placed(last_first, x, torch.median(x, dim, keepdim=True)[0], dim, keepdim)


def _placed(last_first: bool, x: Tensor, value: Tensor, dim: int, keepdim: bool) -> _Results:
    """Return a value and the first or last of its places."""
    if x.ndim == 0:
        return value, torch.zeros_like(value, dtype=torch.long)
    equal = (x == value).flip(dim) if last_first else x == value
    place = equal.int().argmax(dim, keepdim=True)
    place = x.shape[dim] - 1 - place if last_first else place
    return (value, place) if keepdim else (value.squeeze(dim), place.squeeze(dim))


_ORDERS: dict[Any, Callable[..., _Results]] = {
    torch.ops.aten.sort.default: _sort,
    torch.ops.aten.topk.default: _topk,
    torch.ops.aten.kthvalue.default: _kthvalue,
    torch.ops.aten.median.dim: _median,
}
