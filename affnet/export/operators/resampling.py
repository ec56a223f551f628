"""Interpolation by factors that are no whole numbers, axis by axis, by gathering; by filters too.

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
        behind = x.index_select(axis, (place.floor() + 1).clamp(max=last).to(torch.int64))
        x = x.index_select(axis, before) * (1 - weight) + behind * weight
    return x


def antialiased(interpolation: str) -> Any:
    """Return the rule for ``aten._upsample_bilinear2d_aa``, or the bicubic one: two products."""

    def rule(
        x: Tensor,
        output_size: Sequence[int] | None,
        align_corners: bool,
        scale_factors: Sequence[float] | None,
    ) -> Any:
        if align_corners:
            return NotImplemented
        for axis, size, step in _resized(x, output_size, scale_factors):
            matrix = _filter(x.shape[axis], size, step, interpolation)
            x = matrix @ x if axis == 2 else x @ matrix.T
        return x

    return rule


def _filter(size: int, result: int, step: float, interpolation: str) -> Tensor:
    """Return the ``result`` x ``size`` weights of a filter that grows where an axis shrinks."""
    centres = (torch.arange(result, dtype=torch.float32) + 0.5) * step
    places = torch.arange(size, dtype=torch.float32) + 0.5
    away = (places - centres.unsqueeze(1)).abs() / max(step, 1.0)
    near = 1 - away
    if interpolation == "bicubic":  # Keys' with a = -0.5
        near = (1.5 * away - 2.5) * away * away + 1
        far = (((away - 5) * away + 8) * away - 4) * -0.5
        near = torch.where(away < 1, near, torch.where(away < 2, far, 0.0))
    else:
        near = near.clamp(min=0)
    return near / near.sum(1, keepdim=True)


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
