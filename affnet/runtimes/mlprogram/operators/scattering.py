"""Operators that write at given places; ``mode`` says how the old and the new number combine."""

from __future__ import annotations

from typing import Any

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, operator

_MODES: dict[str, np.ufunc | None] = {
    "update": None,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "max": np.maximum,
    "min": np.minimum,
}


def _write(data: Array, index: Any, updates: Array, mode: str) -> Array:
    if mode not in _MODES:
        raise ValueError(f"unknown mode {mode}")
    result, combine = data.copy(), _MODES[mode]
    if combine is None:
        result[index] = updates
    else:
        combine.at(result, index, updates)  # unlike result[index] += it counts repeated places
    return result


@operator("scatter", ignored=["validate_indices"])
def _scatter(
    data: Array,
    indices: Array,
    updates: Array,
    axis: Array | int = 0,
    mode: str = "add",
) -> Array:
    place = int(axis) % data.ndim
    return _write(data, (slice(None),) * place + (indices,), updates, mode)


@operator("scatter_along_axis", ignored=["validate_indices"])
def _scatter_along_axis(
    data: Array,
    indices: Array,
    updates: Array,
    axis: Array | int = 0,
    mode: str = "add",
) -> Array:
    index: list[Any] = list(np.indices(indices.shape, sparse=True))
    index[int(axis)] = indices
    return _write(data, tuple(index), updates, mode)


@operator("scatter_nd", ignored=["validate_indices"])
def _scatter_nd(
    data: Array,
    indices: Array,
    updates: Array,
    mode: str = "add",
) -> Array:
    return _write(data, tuple(np.moveaxis(indices, -1, 0)), updates, mode)
