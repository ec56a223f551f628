"""Operators that make a tensor from sizes, indices or the places of others."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, operator


@operator("fill", exact=True)
def _fill(shape: Array, value: Array | float = 0.0) -> Array:
    return np.full([int(size) for size in shape], value)


@operator("fill_like", exact=True)
def _fill_like(ref_tensor: Array, value: Array | float = 0.0) -> Array:
    return np.full(ref_tensor.shape, value)


@operator("range_1d")
def _range_1d(end: Array, start: Array, step: Array) -> Array:
    return np.arange(start.item(), end.item(), step.item())


@operator("one_hot", exact=True)
def _one_hot(
    indices: Array,
    one_hot_vector_size: Array,
    axis: Array | int = -1,
    on_value: Array | float = 1,
    off_value: Array | float = 0,
) -> Array:
    place = int(axis) if int(axis) >= 0 else int(axis) + indices.ndim + 1
    classes = np.arange(int(one_hot_vector_size)).reshape(-1, *[1] * (indices.ndim - place))
    return np.where(np.expand_dims(indices, place) == classes, on_value, off_value)


@operator("non_zero")
def _non_zero(x: Array) -> Array:
    return np.argwhere(x)


@operator("cumsum")
def _cumsum(
    x: Array,
    axis: Array | int = 0,
    exclusive: Array | bool = False,
    reverse: Array | bool = False,
) -> Array:
    place = int(axis)
    data = np.flip(x, place) if reverse else x
    sums = np.cumsum(data, axis=place)
    if exclusive:
        sums = np.roll(sums, 1, place)
        first = [slice(None)] * x.ndim
        first[place] = slice(0, 1)
        sums[tuple(first)] = 0
    return np.flip(sums, place) if reverse else sums
