"""Pools and convolutions over three axes, by those over two.

A pool takes rows and columns first, and then the depth: averages and maxima allow it, and whatever
a margin or a window cut short counts for, it does along each axis by itself.

A convolution has the planes of its kernel among the channels of one over two axes, each of which
sees the map at its own depth; a transposed one gives them as channels, which are added up there::

    y[d] = conv2d([x[d s + k t] for k], w)          y[d s + k t] += conv_transpose2d(x[d], w)[k]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def avg_pool3d(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Tensor:
    """`torch.nn.functional.avg_pool3d` of a batch or of one volume."""
    kernel, stride, padding = _settings(kernel, stride, padding)
    first, second = (1, divisor) if divisor else (None, None)

    def of_maps(y: Tensor) -> Tensor:
        return F.avg_pool2d(
            y, kernel[1:], stride[1:], padding[1:], ceil_mode, count_include_pad, first
        )

    def of_depth(y: Tensor) -> Tensor:
        sizes, steps, margins = (kernel[0], 1), (stride[0], 1), (padding[0], 0)
        return F.avg_pool2d(y, sizes, steps, margins, ceil_mode, count_include_pad, second)

    return _in_turn(x, of_maps, of_depth)


def max_pool3d(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> Tensor:
    """`torch.nn.functional.max_pool3d` of a batch or of one volume."""
    kernel, stride, padding = _settings(kernel, stride, padding)
    steps = _three(dilation)

    def of_maps(y: Tensor) -> Tensor:
        return F.max_pool2d(y, kernel[1:], stride[1:], padding[1:], steps[1:], ceil_mode)

    def of_depth(y: Tensor) -> Tensor:
        sizes, strides, margins = (kernel[0], 1), (stride[0], 1), (padding[0], 0)
        return F.max_pool2d(y, sizes, strides, margins, (steps[0], 1), ceil_mode)

    return _in_turn(x, of_maps, of_depth)


def adaptive_avg_pool3d(x: Tensor, size: Sequence[int]) -> Tensor:
    """`torch.nn.functional.adaptive_avg_pool3d` of a batch or of one volume."""
    return _in_turn(
        x,
        lambda y: F.adaptive_avg_pool2d(y, (size[1], size[2])),
        lambda y: F.adaptive_avg_pool2d(y, (size[0], y.shape[-1])),
    )


def conv3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Tensor:
    """`torch.nn.functional.conv3d` of a batch or of one volume."""
    stride, padding, dilation = map(_three, (stride, padding, dilation))
    volumes = x.reshape(-1, *x.shape[-4:])  # B x C x D x H x W
    if margin := padding[0]:
        volumes = F.pad(volumes, (0, 0, 0, 0, margin, margin))
    planes, step = weight.shape[2], dilation[0]
    reach = volumes.shape[2] - step * (planes - 1)
    seen = [volumes[:, :, k * step : k * step + reach : stride[0]] for k in range(planes)]
    maps = torch.stack(seen, 2).movedim(3, 1)  # B x D x C x planes x H x W
    y = F.conv2d(
        maps.flatten(2, 3).flatten(0, 1),
        weight.flatten(1, 2),
        bias,
        stride[1:],
        padding[1:],
        dilation[1:],
        groups,
    )
    y = y.reshape(*maps.shape[:2], *y.shape[1:]).transpose(1, 2)
    return y.reshape(*x.shape[:-4], *y.shape[1:])


def conv_transpose3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    output_padding: Sequence[int] = (0,),
    groups: int = 1,
    dilation: Sequence[int] = (1,),
) -> Tensor:
    """`torch.nn.functional.conv_transpose3d` of a batch or of one volume."""
    stride, padding, dilation = map(_three, (stride, padding, dilation))
    more = _three(output_padding)
    volumes = x.reshape(-1, *x.shape[-4:]).transpose(1, 2)  # B x D x C x H x W
    y = F.conv_transpose2d(
        volumes.flatten(0, 1),
        weight.flatten(1, 2),
        None,
        stride[1:],
        padding[1:],
        more[1:],
        groups,
        dilation[1:],
    )
    planes, step = weight.shape[2], dilation[0]
    y = y.reshape(*volumes.shape[:2], -1, planes, *y.shape[2:])  # B x D x C x planes x H x W
    last = step * (planes - 1)
    total = reduce(
        torch.add,
        (
            F.pad(_spread(y[:, :, :, k], stride[0]), _of_depth(k * step, last - k * step + more[0]))
            for k in range(planes)
        ),
    )
    total = total[:, padding[0] : total.shape[1] - padding[0]].transpose(1, 2)
    if bias is not None:
        total = total + bias.reshape(-1, 1, 1, 1)
    return total.reshape(*x.shape[:-4], *total.shape[1:])


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
    if weight.dim() != 5:
        return NotImplemented
    if transposed:
        return conv_transpose3d(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv3d(x, weight, bias, stride, padding, dilation, groups)


def _in_turn(
    x: Tensor, of_maps: Callable[[Tensor], Tensor], of_depth: Callable[[Tensor], Tensor]
) -> Tensor:
    """Pool the maps, N x D x H x W, and then 1 x N x D x H W, of a volume [.., D, H, W]."""
    *kept, depth, height, width = x.shape
    maps = of_maps(x.reshape(math.prod(kept), depth, height, width))
    y = of_depth(maps.reshape(1, math.prod(kept), depth, -1))
    return y.reshape(*kept, y.shape[2], *maps.shape[2:])


def _settings(
    kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    return _three(kernel), _three(stride or kernel), _three(padding)


def _three(given: Sequence[int]) -> tuple[int, ...]:
    return tuple(given) * (3 if len(given) == 1 else 1)


def _spread(x: Tensor, step: int) -> Tensor:
    """Return ``x``, B x D x .., with ``step - 1`` zeros between its elements along the depth."""
    if step == 1:
        return x
    size = (x.shape[1] - 1) * step + 1
    wide = F.pad(x.unsqueeze(2), (0, 0) * (x.dim() - 2) + (0, step - 1))
    return wide.flatten(1, 2)[:, :size]


def _of_depth(before: int, behind: int) -> tuple[int, ...]:
    """Return the padding of the second of five axes."""
    return (*(0, 0) * 3, before, behind)
