"""Interpolation by factors that are no whole numbers, axis by axis, by gathering.

torch counts in steps of 1 / factor where a factor is given, and of size / result where it is not;
a converter that knows the size of the result only takes the second for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def upsample_nearest(
    x: Tensor, output_size: Sequence[int] | None, scale_factors: Sequence[float] | None
) -> Any:
    """`torch.nn.functional.interpolate` with the nearest element, over all but two axes."""
    axes = _resized(x, output_size, scale_factors)
    if all(size % x.shape[axis] == 0 for axis, size, _ in axes):
        return NotImplemented
    for axis, size, step in axes:
        places = (torch.arange(size, dtype=torch.float32) * step).to(torch.int64)
        x = x.index_select(axis, places.clamp(max=x.shape[axis] - 1))
    return x


def upsample_linear(
    x: Tensor,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float] | None,
) -> Any:
    """`torch.nn.functional.interpolate` between two elements, over all but two axes."""
    whole = scale_factors is None or all(factor == int(factor) for factor in scale_factors)
    if align_corners or whole:
        return NotImplemented
    for axis, size, step in _resized(x, output_size, scale_factors):
        last = x.shape[axis] - 1
        place = ((torch.arange(size, dtype=torch.float32) + 0.5) * step - 0.5).clamp(0, last)
        before = place.to(torch.int64)
        weight = (place - before).reshape(-1, *(1 for _ in x.shape[axis + 1 :]))
        behind = x.index_select(axis, (before + 1).clamp(max=last))
        x = x.index_select(axis, before) * (1 - weight) + behind * weight
    return x


def _resized(
    x: Tensor, output_size: Sequence[int] | None, scale_factors: Sequence[float] | None
) -> list[tuple[int, int, float]]:
    """Return each axis, its size in the result, and the step there from element to element."""
    axes = range(2, x.ndim)
    if scale_factors is None:
        assert output_size is not None  # torch has one of both
        sizes = zip(axes, output_size, strict=True)
        return [(axis, size, x.shape[axis] / size) for axis, size in sizes]
    factors = zip(axes, scale_factors, strict=True)
    return [(axis, int(x.shape[axis] * factor), 1 / factor) for axis, factor in factors]
