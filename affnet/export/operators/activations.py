"""Activations of which coremltools, or XNNPACK, computes another function."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def log_softmax(x: Tensor, dim: int, dtype: Any = None) -> Any:
    """Return x - max - log(sum(exp(x - max))): ``aten.log_softmax``.

    coremltools takes the logarithm of the softmax, and that is 0 where x is 104 below the largest.
    """
    if dtype is not None:
        x = x.to(dtype)
    if not x.is_floating_point() or x.dim() == 0:
        return NotImplemented
    x = x - x.amax(dim, keepdim=True)
    return x - x.exp().sum(dim, keepdim=True).log()


def gelu(x: Tensor, approximate: str = "none") -> Any:
    """Return x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2: ``aten.gelu`` by tanh.

    coremltools 9.0 reads the argument by position only; it is given by name, and the exact GELU,
    2e-4 off, comes out.  XNNPACK has none but the exact one.
    """
    if approximate != "tanh":
        return NotImplemented
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + torch.tanh(inner))


def rrelu(
    x: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,  # noqa: ARG001 - aten's
) -> Any:
    """``aten.rrelu`` as it is outside training: by the mean of both slopes."""
    return NotImplemented if training else F.leaky_relu(x, (lower + upper) / 2)
