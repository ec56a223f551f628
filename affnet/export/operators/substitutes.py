"""Operators that coreai-torch lacks in one form and has in another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def elu(x: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Tensor:
    """Return x of positive, e^x - 1 of other numbers, by factors: ``aten.elu``."""
    negative = torch.expm1(x.clamp(max=0) * input_scale) * (alpha * scale)
    return torch.where(x > 0, x * scale, negative)


def extreme(of_axes: Callable[..., Tensor]) -> Callable[..., Any]:
    """Return the rule for ``aten.amax`` or ``aten.amin`` that names every axis."""

    def rule(x: Tensor, dim: Sequence[int] = (), keepdim: bool = False) -> Any:
        if dim or x.dim() == 0:
            return NotImplemented
        return of_axes(x, list(range(x.dim())), keepdim=keepdim)

    return rule


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return where the largest stands, of all axes with as many axes: ``aten.argmax``."""
    if dim is not None or not keepdim:
        return NotImplemented
    return torch.argmax(x).reshape([1] * x.dim())


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return where the smallest stands: ``aten.argmin``."""
    return torch.argmax(-x, dim, keepdim) if x.is_floating_point() else NotImplemented


def isnan(x: Tensor) -> Tensor:
    """Return what differs from itself: ``aten.isnan``."""
    return x != x


def remainder(x: Tensor, divisor: float) -> Tensor:
    """Return the remainder by a number as that by a tensor: ``aten.remainder.Scalar``."""
    return torch.remainder(x, torch.full_like(x, divisor))


def sort(x: Tensor, dim: int = -1, descending: bool = False) -> Any:
    """Return the largest or smallest of an axis, all of them: ``aten.sort``."""
    if x.dim() == 0:
        return NotImplemented
    return torch.topk(x, x.shape[dim], dim, largest=descending)
