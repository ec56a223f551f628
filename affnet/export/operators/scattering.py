"""Numbers that fall in one place, joined: sums by scatter_add, the others by comparing places.

For TFLite all that is written at places of a tensor of whole numbers is int32: litert-torch makes
that of the result's int64, but not of the values' and of what joins them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from affnet.export.operators.nesting import within_itself
from affnet.export.operators.rule import Rule

_MOST_PAIRS = 1 << 24  # of an element and a place of its row, of 4 bytes each
#: What changes nothing, and what joins a row.
_JOINED: dict[str, tuple[float, Any]] = {
    "amax": (-math.inf, torch.amax),
    "amin": (math.inf, torch.amin),
    "prod": (1.0, torch.prod),
}
_WITH_OWN = {"amax": torch.maximum, "amin": torch.minimum, "prod": torch.mul}

_PLACES = ("index", "indices")  # among the arguments of operators


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


@within_itself
def slice_scatter(x: Tensor, source: Tensor, dim: int = 0, *slice_: Any) -> Tensor:
    """`torch.slice_scatter`, its axis counted from the front."""
    return x.slice_scatter(source, dim % x.dim(), *slice_)


def in_int32(operator: OpOverload, otherwise: Rule | None = None) -> Rule:
    """Return the rule by which what ``operator`` writes into whole numbers is int32.

    Its first tensor has the result's type; ``otherwise`` is the rule of what is not of int64.
    """
    places = [argument.name in _PLACES for argument in operator._schema.arguments[1:]]

    def narrow(value: Any, is_place: bool = False) -> Any:
        if is_place or not isinstance(value, Tensor) or value.dtype != torch.int64:
            return value
        return value.to(torch.int32)

    def rule(x: Tensor, *given: Any, **named: Any) -> Any:
        if x.dtype != torch.int64:
            return NotImplemented if otherwise is None else otherwise(x, *given, **named)
        narrowed = map(narrow, given, places)  # by name there are numbers and words only
        return operator(narrow(x), *narrowed, **named).to(torch.int64)

    return within_itself(rule)
