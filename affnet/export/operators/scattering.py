"""Numbers that fall in one place, joined: sums by scatter_add, the others by comparing places."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

_MOST_PAIRS = 1 << 24  # of an element and a place of its row, of 4 bytes each
#: What changes nothing, and what joins a row.
_JOINED: dict[str, tuple[float, Any]] = {
    "amax": (-math.inf, torch.amax),
    "amin": (math.inf, torch.amin),
    "prod": (1.0, torch.prod),
}
_WITH_OWN = {"amax": torch.maximum, "amin": torch.minimum, "prod": torch.mul}


def scatter_reduce(
    x: Tensor, dim: int, index: Tensor, source: Tensor, kind: str, *, include_self: bool = True
) -> Any:
    """`torch.scatter_reduce`, with x, index and source of as many axes each."""
    source = source[tuple(slice(size) for size in index.shape)]
    if kind in ("sum", "mean"):
        own = x if include_self else x.scatter(dim, index, 0.0)
        total = own.scatter_add(dim, index, source)
        if kind == "sum":
            return total
        counts = torch.ones_like(x)  # of x itself, which stays where nothing falls
        if not include_self:
            counts = counts.scatter(dim, index, 0.0)
        return total / counts.scatter_add(dim, index, torch.ones_like(source))
    return _by_places(x, dim % x.dim(), index, source, kind, include_self)


def _by_places(
    x: Tensor, dim: int, index: Tensor, source: Tensor, kind: str, include_self: bool
) -> Any:
    """Compare each element's place with all of its row; NotImplemented where these are too many.

    Of floats only: what changes no maximum is infinite.
    """
    others = [size for axis, size in enumerate(x.shape) if axis != dim]
    same = others == [size for axis, size in enumerate(index.shape) if axis != dim]
    if not (same and x.is_floating_point() and index.numel() * x.shape[dim] <= _MOST_PAIRS):
        return NotImplemented
    nothing, join = _JOINED[kind]
    places = torch.arange(x.shape[dim], device=x.device)[:, None]
    falls = index.movedim(dim, -1).unsqueeze(-2) == places  # .. x places x elements
    values = source.movedim(dim, -1).unsqueeze(-2)
    joined = join(torch.where(falls, values, nothing), -1).movedim(-1, dim)
    if include_self:
        return _WITH_OWN[kind](x, joined)
    return torch.where(falls.any(-1).movedim(-1, dim), joined, x)
