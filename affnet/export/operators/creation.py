"""Tensors made of nothing, which converters make of another type or by what a runtime lacks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def eye(n: int, m: int | None = None, *, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    """`torch.eye`, a one and m zeros in turn: litert-torch writes it as LiteRT has no operator."""
    columns = n if m is None else m
    row = torch.cat((torch.ones(1), torch.zeros(columns)))
    flat = torch.cat([row] * min(n, columns) + [torch.zeros(n * columns)])[: n * columns]
    return flat.view(n, columns).to(dtype or torch.get_default_dtype())


def scalar_tensor(value: float, *, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    """`torch.scalar_tensor`, of the default type where none is given, as coremltools takes none."""
    return torch.full([], value, dtype=dtype or torch.get_default_dtype())
