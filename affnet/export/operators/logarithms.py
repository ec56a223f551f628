"""Logarithms and exponentials that keep what converters lose: log(0), and log(1 + x) of a tiny x.

coremltools adds 1e-45 inside every logarithm, so that log(0) is -103 and not -infinity.  It,
torch.onnx and litert-torch write log1p as log(1 + x), and expm1 as exp(x) - 1, in which an x below
1e-7 is gone.  Kahan's quotient of log(1 + x) would get it back with an exact logarithm only, and
LiteRT's is off by 5e-8 near 1; so small values take the series, whose next terms are below 1e-8::

    log(1 + x)  = 2 s (1 + s^2 / 3 + s^4 / 5 + ..)  with s = x / (2 + x)
    exp(x) - 1  = x (1 + x / 2 (1 + x / 3 (1 + ..)))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from affnet.export.operators.nesting import within_itself

_LARGE = 1e6  # whose square leaves no room for 1
_SMALL = 0.25  # below it the series are taken; beyond it the plain forms lose two bits


def exact_at_zero(logarithm: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Any]:
    """Return the rule for ``logarithm`` that gives -infinity at 0."""

    def rule(x: Tensor) -> Any:
        if not x.is_floating_point():
            return NotImplemented
        return torch.where(x == 0, -torch.inf, logarithm(x))

    return within_itself(rule)


def log1p(x: Tensor) -> Any:
    """Return log(1 + x) to full precision: ``aten.log1p``."""
    if not x.is_floating_point():
        return NotImplemented
    is_small = x.abs() < _SMALL
    small = torch.where(is_small, x, 0.0)
    ratio = small / (2 + small)
    square = ratio * ratio
    series = torch.ones_like(x) / 9
    for divisor in (7, 5, 3, 1):
        series = series * square + 1 / divisor
    return torch.where(is_small, 2 * ratio * series, torch.log(1 + x))


def exp2(x: Tensor) -> Any:
    """Return 2 to the power of x: ``aten.exp2``."""
    return torch.exp(x * math.log(2)) if x.is_floating_point() else NotImplemented


def asinh(x: Tensor) -> Tensor:
    """Return log(x + sqrt(x^2 + 1)), of either sign and any size: ``aten.asinh``."""
    size = x.abs()
    some = size.clamp(max=_LARGE)
    square = some * some
    found = torch.log1p(some + square / (1 + torch.sqrt(1 + square)))
    return torch.sign(x) * torch.where(size > _LARGE, torch.log(2 * size), found)


def acosh(x: Tensor) -> Tensor:
    """Return log(x + sqrt(x^2 - 1)), of any size: ``aten.acosh``."""
    beyond = x.clamp(max=_LARGE) - 1
    found = torch.log1p(beyond + torch.sqrt(beyond) * torch.sqrt(beyond + 2))
    return torch.where(x > _LARGE, torch.log(2 * x), found)


def log_sigmoid(x: Tensor) -> Tensor:
    """Return log(sigmoid(x)), which torch.onnx writes so, -infinity where a sigmoid is 0.

    It is ``aten.log_sigmoid``: min(x, 0) - log(1 + exp(-|x|)).
    """
    return x.clamp(max=0) - torch.log1p(torch.exp(-x.abs()))


def expm1(x: Tensor) -> Any:
    """Return exp(x) - 1 to full precision: ``aten.expm1``."""
    if not x.is_floating_point():
        return NotImplemented
    is_small = x.abs() < _SMALL
    small = torch.where(is_small, x, 0.0)
    series = torch.ones_like(x)
    for divisor in (7, 6, 5, 4, 3, 2):
        series = series * small / divisor + 1
    return torch.where(is_small, small * series, torch.exp(x) - 1)
