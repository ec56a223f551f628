"""The angle of a point, and of a real number, on the side of the cut where IEEE 754 has it.

torch.onnx and coremltools write atan2 as atan(y / x) and a turn: the angle of a negative number
comes out as -pi and as 0, and y / x leaves the range of float16.  Here the quotient is that of the
smaller by the larger of |x| and |y|, so that it lies in 0..1::

    a = atan(min / max)             0 .. pi / 4
    a = pi / 2 - a  where |y| > |x|   0 .. pi / 2
    a = pi - a      where x < 0       0 .. pi
    a = -a          where y < 0

with -0 among the negative numbers: it is the one whose reciprocal is -infinity.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def atan2(y: Tensor, x: Tensor) -> Tensor:
    """Return the angle of (x, y) in [-pi, pi]: ``aten.atan2``, which see for shapes and types.

    ``atan2(+-0, -0)`` is +-pi, and of two infinities it is an odd multiple of pi / 4.
    """
    if not (y.is_floating_point() or x.is_floating_point()):
        y, x = y.to(torch.get_default_dtype()), x.to(torch.get_default_dtype())
    height, width = y.abs(), x.abs()
    larger, smaller = torch.maximum(height, width), torch.minimum(height, width)
    # neither 0 / 0 nor infinity / infinity is computed, and a NaN is no equal of itself
    quotient = smaller / torch.where(larger == 0, 1.0, larger)
    quotient = torch.where(torch.logical_and(smaller == larger, larger > 0), 1.0, quotient)
    angle = torch.atan(quotient)
    angle = torch.where(height > width, math.pi / 2 - angle, angle)
    angle = torch.where(_is_negative(x), math.pi - angle, angle)
    # a product: ONNX Runtime's Where adds 0 to what it picks, which makes +0 of -0
    return angle * torch.where(_is_negative(y), -1.0, 1.0)


def angle(x: Tensor) -> Any:
    """Return pi where ``x`` is negative, NaN where it is NaN, else 0: ``aten.angle`` of reals."""
    if x.is_complex():
        return NotImplemented
    if not x.is_floating_point():
        x = x.to(torch.get_default_dtype())
    return torch.where(x < 0, math.pi, torch.where(x == x, 0.0, x))  # a NaN is no equal of itself


def negative(x: Tensor) -> Any:
    """Return -x, of 0 as -0: ``aten.neg``, which XNNPACK computes as 0 - x, and so as +0."""
    return x * -1.0 if x.is_floating_point() else NotImplemented


def _is_negative(x: Tensor) -> Tensor:
    """Tell where ``x`` has a minus, that of -0 included; of infinity the reciprocal does not."""
    return torch.logical_or(x < 0, torch.ones_like(x) / x < 0)
