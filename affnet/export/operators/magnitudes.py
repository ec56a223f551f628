"""Lengths, signs, distances and what lies between, for converters that lack the operators."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

_MOST_REPEATED = 4  # axes of what a number is joined with in TFLite


def hypot(x: Tensor, y: Tensor) -> Tensor:
    """Return the root of x^2 + y^2, whose squares need not be finite: ``aten.hypot``."""
    larger = torch.maximum(x.abs(), y.abs())
    ratio = torch.minimum(x.abs(), y.abs()) / torch.where(larger == 0, 1.0, larger)
    return larger * torch.sqrt(1 + ratio * ratio)


def fmax(x: Tensor, y: Tensor) -> Tensor:
    """Return the larger, the other of a NaN: ``aten.fmax``."""
    return _number_of(x, y, torch.maximum(x, y))


def fmin(x: Tensor, y: Tensor) -> Tensor:
    """Return the smaller, the other of a NaN: ``aten.fmin``."""
    return _number_of(x, y, torch.minimum(x, y))


def _number_of(x: Tensor, y: Tensor, chosen: Tensor) -> Tensor:
    return torch.where(x.isnan(), y, torch.where(y.isnan(), x, chosen))


def copysign(x: Tensor, y: Any) -> Tensor:
    """Return x with the sign of y, of -0 too: ``aten.copysign``."""
    if not torch.is_tensor(y):
        return -x.abs() if math.copysign(1, y) < 0 else x.abs()
    is_negative = (y < 0) | (torch.ones_like(y) / y < 0)
    return torch.where(is_negative, -x.abs(), x.abs())


def power(x: Tensor, exponent: Any) -> Any:
    """Return ``x`` to a number's power, as one axis where it has more than four: ``aten.pow``.

    TFLite repeats a number over four axes, and litert-torch refuses some powers of more.
    """
    if x.dim() <= _MOST_REPEATED:
        return NotImplemented
    return torch.pow(x.reshape(-1), exponent).view(x.shape)


def lerp(start: Tensor, end: Tensor, weight: Any) -> Any:
    """Return start + weight * (end - start), from the nearer of both: ``aten.lerp``."""
    apart = end - start
    nearer = start + weight * apart, end - (1 - weight) * apart
    if torch.is_tensor(weight):
        return torch.where(weight.abs() < 0.5, *nearer)
    return nearer[abs(weight) >= 0.5]


def cdist(x: Tensor, y: Tensor, p: float = 2.0, compute_mode: int | None = None) -> Any:  # noqa: ARG001 - the operator has it
    """Return the distances between rows: ``aten.cdist``."""
    apart = x.unsqueeze(-2) - y.unsqueeze(-3)
    if p == 1:
        return apart.abs().sum(-1)
    return torch.sqrt((apart * apart).sum(-1)) if p == 2 else NotImplemented
