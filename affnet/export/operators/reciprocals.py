"""Reciprocals as divisions: Core ML's own operators add an epsilon to what they divide by.

coremltools leaves them at their defaults: ``inverse`` is 1 / (x + 1e-4), so that the reciprocal of
1e-8 is 9,999, and ``rsqrt`` is 1 / sqrt(x + 1e-12).
"""

from __future__ import annotations

import torch
from torch import Tensor


def reciprocal(x: Tensor) -> Tensor:
    """Return ``1 / x``: ``aten.reciprocal``; also what torch makes of ``1 / x``."""
    if not x.is_floating_point():
        x = x.to(torch.get_default_dtype())
    return torch.ones_like(x) / x


def rsqrt(x: Tensor) -> Tensor:
    """Return ``1 / sqrt(x)``: ``aten.rsqrt``."""
    return reciprocal(torch.sqrt(x))
