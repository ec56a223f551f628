"""Reciprocals as quotients: coremltools adds 1e-4 to what it inverts and 1e-12 to what it roots."""

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
