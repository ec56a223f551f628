"""Quotients and squares, as coremltools gets them right.

It adds 1e-4 to what it inverts and 1e-12 to what it roots, makes floats of quotients of integers,
takes the root of a square for the number itself, negative ones too, and lacks ``trunc``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def reciprocal(x: Tensor) -> Any:
    """Return 1 / x: ``aten.reciprocal``."""
    return torch.ones_like(x) / x if x.is_floating_point() else NotImplemented


def rsqrt(x: Tensor) -> Any:
    """Return 1 / sqrt(x): ``aten.rsqrt``."""
    return torch.ones_like(x) / torch.sqrt(x) if x.is_floating_point() else NotImplemented


def square(x: Tensor, exponent: float) -> Any:
    """Return x * x for ``aten.pow`` with 2; other powers stay as they are."""
    return x * x if exponent == 2 else NotImplemented


def trunc(x: Tensor) -> Tensor:
    """Return x without its fraction: ``aten.trunc``."""
    return torch.sign(x) * torch.floor(torch.abs(x))


def fmod(x: Tensor, y: Any) -> Tensor:
    """Return the remainder of a quotient rounded towards zero: ``aten.fmod``."""
    result: Tensor = torch.sign(x) * (torch.abs(x) % abs(y))
    return result


def floor_divide(a: Any, b: Any) -> Any:
    """Return the quotient of integers as one, rounded down: ``aten.floor_divide``.

    It is exact up to 2^24, as far as float32 counts.
    """
    integers = [
        (torch.is_tensor(x) and not x.is_floating_point()) or isinstance(x, int) for x in (a, b)
    ]
    if not all(integers) or not torch.is_tensor(a):
        return NotImplemented
    return torch.floor(a.float() / b).to(torch.result_type(a, b))


def divide(a: Any, b: Any, *, rounding_mode: str | None = None) -> Any:
    """Return the same for ``aten.div`` with a mode; others than of integers stay as they are."""
    return floor_divide(a, b) if rounding_mode == "floor" else NotImplemented


def round_decimals(x: Tensor, *, decimals: int) -> Tensor:
    """Return x rounded to decimals, or to tens below 0: ``aten.round.decimals``."""
    scale = float(10 ** abs(decimals))
    return torch.round(x * scale) / scale if decimals >= 0 else torch.round(x / scale) * scale
