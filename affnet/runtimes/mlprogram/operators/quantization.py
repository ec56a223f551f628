"""Quantisation of activations, from iOS 17."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, operator
from affnet.runtimes.mlprogram.types import numpy_dtype


def along(parameter: Array, rank: int, axis: Array | int | None) -> Array:
    """Shape a vector to broadcast over ``axis`` of a tensor of ``rank``; a number stays."""
    if parameter.ndim == 0 or axis is None:
        return parameter
    return parameter.reshape(-1, *[1] * (rank - 1 - int(axis) % rank))


@operator("quantize")
def _quantize(
    input: Array,  # noqa: A002 - MIL's name
    scale: Array,
    output_dtype: str,
    zero_point: Array | None = None,
    axis: Array | None = None,
) -> Array:
    steps = np.round(input / along(scale, input.ndim, axis))
    if zero_point is not None:
        steps = steps + along(zero_point, input.ndim, axis).astype(np.float32)
    limits = np.iinfo(numpy_dtype(output_dtype))
    return np.clip(steps, limits.min, limits.max)


@operator("dequantize")
def dequantize(
    input: Array,  # noqa: A002 - MIL's name
    scale: Array,
    zero_point: Array | None = None,
    axis: Array | None = None,
) -> Array:
    """Return scale x (input - zero_point), each a number or a vector along ``axis``."""
    steps = input.astype(np.float32)
    if zero_point is not None:
        steps = steps - along(zero_point, input.ndim, axis).astype(np.float32)
    result: Array = steps * along(scale, input.ndim, axis)
    return result
