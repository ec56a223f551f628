"""Interpolation written with other operators, before the rules see it.

To the size that a map has already it is nothing, as neural operators with factors of 1 have it.
Bicubic interpolation is a product with a matrix over each axis: torch writes it as seventy
operators, sixteen of which gather.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from affnet.export.fourier.rewrite.formulas import formula

aten = torch.ops.aten

OPERATORS = (
    aten.upsample_linear1d.default,
    aten.upsample_bilinear2d.default,
    aten.upsample_bicubic2d.default,
)

_MAX_ELEMENTS = 1 << 18  # of a matrix; beyond that its product costs more than gathering
_CUBIC = -0.75  # the parameter of Keys' kernel, as torch and OpenCV have it


def _keeps_size(x: Tensor, sizes: Sequence[int], steps: Sequence[float | None]) -> bool:
    same = [*x.shape[2:]] == [*sizes] and all(isinstance(size, int) for size in x.shape)
    return same and all(step is None or step == 1 for step in steps)


@formula(aten.upsample_linear1d.default, aten.upsample_bilinear2d.default, real=True)
def _linear(x: Tensor, sizes: Sequence[int], _: bool, *steps: float | None) -> Any:
    return x.contiguous() if _keeps_size(x, sizes, steps) else NotImplemented


@formula(aten.upsample_bicubic2d.default, real=True)
def _bicubic(x: Tensor, sizes: Sequence[int], corners: bool, *factors: float | None) -> Any:
    if _keeps_size(x, sizes, factors):
        return x.contiguous()
    lengths = [*x.shape[2:]]
    if not all(isinstance(length, int) for length in (*lengths, *sizes)):
        return NotImplemented
    if max(a * b for a, b in zip(lengths, sizes, strict=True)) > _MAX_ELEMENTS:
        return NotImplemented
    rows, columns = (
        _cubic(length, size, corners, factor).to(x.dtype)
        for length, size, factor in zip(lengths, sizes, (*factors, None, None)[:2], strict=True)
    )
    return rows @ (x @ columns.T)


def _cubic(length: int, size: int, corners: bool, factor: float | None) -> Tensor:
    """Return the size x length weights of cubic interpolation along an axis, in float64."""
    places = torch.arange(size, dtype=torch.float64)
    if corners:
        places = places * ((length - 1) / (size - 1) if size > 1 else 0.0)
    else:
        places = (places + 0.5) * (1 / factor if factor else length / size) - 0.5
    first = places.floor()
    matrix = torch.zeros(size, length, dtype=torch.float64)
    for offset in range(-1, 3):
        away = (places - first - offset).abs()
        near = ((_CUBIC + 2) * away - (_CUBIC + 3)) * away * away + 1
        far = ((_CUBIC * away - 5 * _CUBIC) * away + 8 * _CUBIC) * away - 4 * _CUBIC
        weight = torch.where(away <= 1, near, far)
        column = (first + offset).clamp(0, length - 1).long()
        matrix.index_put_((torch.arange(size), column), weight, accumulate=True)
    return matrix
