"""Logarithms and exponentials that keep what converters lose: log(0), and log(1 + x) of a tiny x.

coremltools adds 1e-45 inside every logarithm, so that log(0) is -103 and not -infinity.  It and
torch.onnx write log1p as log(1 + x), and expm1 as exp(x) - 1, in which an x below 1e-7 is gone.
Kahan's quotients get it back (HP-15C Advanced Functions Handbook, 1982): with u = 1 + x as rounded,

    log(1 + x) = x log(u) / (u - 1)

since log(u) / (u - 1) varies so slowly near 1 that u's rounding does not matter to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from affnet.export.operators.nesting import within_itself

_SMALL = 0.5  # beyond it the plain forms lose at most two bits


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
    u = 1 + x
    rounded = u - 1
    exact = torch.log(u) * (x / torch.where(rounded == 0, 1.0, rounded))
    exact = torch.where(rounded == 0, x, exact)
    return torch.where(x.abs() < _SMALL, exact, torch.log(u))


def expm1(x: Tensor) -> Any:
    """Return exp(x) - 1 to full precision: ``aten.expm1``, as (u - 1) x / log(u) of u = exp(x)."""
    if not x.is_floating_point():
        return NotImplemented
    u = torch.exp(x)
    logarithm = torch.log(torch.where(x.abs() < _SMALL, u, 2.0))
    exact = (u - 1) * (x / torch.where(logarithm == 0, 1.0, logarithm))
    exact = torch.where(logarithm == 0, x, exact)
    return torch.where(x.abs() < _SMALL, exact, u - 1)
