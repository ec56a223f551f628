"""Convolution and its transpose over one to three axes, by torch, in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from affnet.runtimes.mlprogram.operators.padding import integers, margins, torch_order
from affnet.runtimes.mlprogram.operators.registry import Array, operator


def to_torch(array: Array) -> Any:
    """Return ``array`` as a tensor; torch cannot view an array with negative strides."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


@operator("conv")
def _conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    strides: Array | None = None,
    pad_type: str = "valid",
    pad: Array | None = None,
    dilations: Array | None = None,
    groups: Array | int = 1,
) -> Array:
    import torch.nn.functional as F

    axes = x.ndim - 2
    steps, gaps = integers(strides, 1, axes), integers(dilations, 1, axes)
    pads = margins(pad_type, pad, x.shape[2:], _extents(weight, gaps), steps)
    tensor, symmetric = to_torch(x), all(before == after for before, after in pads)
    if not symmetric:
        tensor = F.pad(tensor, torch_order(pads))
    result: Array = getattr(F, f"conv{axes}d")(
        tensor,
        to_torch(weight),
        None if bias is None else to_torch(bias),
        stride=steps,
        padding=[before for before, _ in pads] if symmetric else 0,
        dilation=gaps,
        groups=int(groups),
    ).numpy()
    return result


@operator("conv_transpose")
def _conv_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    pad: Array | None = None,
    output_shape: Array | None = None,
    pad_type: str = "valid",
    strides: Array | None = None,
    dilations: Array | None = None,
    groups: Array | int = 1,
) -> Array:
    import torch.nn.functional as F

    axes = x.ndim - 2
    steps, gaps = integers(strides, 1, axes), integers(dilations, 1, axes)
    full = getattr(F, f"conv_transpose{axes}d")(
        to_torch(x), to_torch(weight), stride=steps, dilation=gaps, groups=int(groups)
    )
    crops = []
    for axis, (size, extent) in enumerate(zip(x.shape[2:], _extents(weight, gaps), strict=True)):
        length = full.shape[2 + axis]
        before, after = _crop(axis, pad_type, pad, size * steps[axis], extent, steps[axis])
        if output_shape is not None:
            target = int(output_shape[2 + axis])
            before = max(0, length - target) // 2 if pad_type.startswith("same") else before
            after = length - before - target
        crops.append((-before, -after))  # torch crops where padding is negative
    result: Array = F.pad(full, torch_order(crops)).numpy()
    return result if bias is None else result + bias.reshape(-1, *[1] * axes)


def _crop(
    axis: int, pad_type: str, pad: Array | None, target: int, extent: int, stride: int
) -> tuple[int, int]:
    """Return what to cut before and after an axis of the full result."""
    if pad_type == "custom" and pad is not None:
        return int(pad[2 * axis]), int(pad[2 * axis + 1])
    if pad_type.startswith("same"):
        length = target - stride + extent  # of the full result, of which ``target`` remain
        before = max(0, length - target) // 2
        return before, length - target - before
    return 0, 0


def _extents(weight: Array, dilations: Sequence[int]) -> list[int]:
    """Return how far the kernel reaches on each axis."""
    return [(size - 1) * gap + 1 for size, gap in zip(weight.shape[2:], dilations, strict=True)]
