"""Transposed convolutions without margins: what is more is cut off, or added, behind them.

A margin of p takes p elements from both sides of what the convolution gives without it, and an
output padding of q gives q of those behind back; beyond them there is nothing but the bias::

    y = transpose_conv(x) without margins;  y[.. p : p + n ..] + bias,  n = len(y) - 2p + q

Over one axis it is one over two, of which the first has one element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    output_padding: Sequence[int] = (0, 0),
    groups: int = 1,
    dilation: Sequence[int] = (1, 1),
) -> Any:
    """`torch.nn.functional.conv_transpose2d` of a batch or of one map."""
    padding, output_padding = _pair(padding), _pair(output_padding)
    dilation = _pair(dilation)
    if not any((*padding, *output_padding)) and dilation == (1, 1):
        return NotImplemented
    for axis, step in enumerate(dilation, start=-2):
        weight = _spread(weight, axis, step)
    whole = torch.conv_transpose2d(x, weight, None, stride, 0, 0, groups)
    for axis, (before, more) in enumerate(zip(padding, output_padding, strict=True), start=-2):
        whole = _cut(whole, axis, before, more)
    return whole if bias is None else whole + bias.reshape(-1, 1, 1)


def conv_transpose1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    output_padding: Sequence[int] = (0,),
    groups: int = 1,
    dilation: Sequence[int] = (1,),
) -> Tensor:
    """`torch.nn.functional.conv_transpose1d` of a batch or of one signal."""
    y = torch.conv_transpose2d(
        x.unsqueeze(-2),
        weight.unsqueeze(-2),
        bias,
        (1, *stride),
        (0, *padding),
        (0, *output_padding),
        groups,
        (1, *dilation),
    )
    return y.squeeze(-2)


def recorded(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    """Any convolution, as a recording of a network has it: ``aten.convolution``."""
    rule = {1: conv_transpose1d, 2: conv_transpose2d}.get(x.dim() - 2)
    if not transposed or rule is None:
        return NotImplemented
    return rule(x, weight, bias, stride, padding, output_padding, groups, dilation)


def _pair(given: Sequence[int]) -> tuple[int, ...]:
    return tuple(given) * (2 if len(given) == 1 else 1)


def _spread(weight: Tensor, axis: int, step: int) -> Tensor:
    """Return ``weight`` with ``step - 1`` zeros between its elements along an axis."""
    if step == 1:
        return weight
    size = (weight.shape[axis] - 1) * step + 1
    spread = F.pad(weight.unsqueeze(axis + weight.ndim + 1), (0, 0) * (-1 - axis) + (0, step - 1))
    return spread.flatten(axis - 1, axis).narrow(axis, 0, size)


def _cut(whole: Tensor, axis: int, margin: int, more: int) -> Tensor:
    """Return ``whole`` without ``margin`` at both ends of an axis, but ``more`` behind."""
    lacking = max(more - margin, 0)
    if lacking:
        whole = F.pad(whole, (0, 0) * (-1 - axis) + (0, lacking))
    size = whole.shape[axis] - lacking - 2 * margin + more
    return whole.narrow(axis, margin, size)
