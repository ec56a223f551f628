"""Operators that read at given places."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, operator

# Every operator here refuses an index beyond the data, so ``validate_indices`` changes nothing.


@operator("gather", ignored=["validate_indices"], exact=True)
def _gather(
    x: Array,
    indices: Array,
    axis: Array | int = 0,
    batch_dims: Array | int = 0,
) -> Array:
    place, batch = int(axis) % x.ndim, int(batch_dims)
    if batch == 0:
        return np.take(x, indices, axis=place)
    rows = zip(x, indices, strict=True)
    return np.stack([_gather(data, index, place - 1, batch - 1) for data, index in rows])


@operator("gather_along_axis", ignored=["validate_indices"], exact=True)
def _gather_along_axis(x: Array, indices: Array, axis: Array | int = 0) -> Array:
    return np.take_along_axis(x, indices.astype(np.intp), int(axis))


@operator("gather_nd", ignored=["validate_indices"], exact=True)
def _gather_nd(
    x: Array,
    indices: Array,
    batch_dims: Array | int = 0,
) -> Array:
    batch = int(batch_dims)
    if batch == 0:
        result: Array = x[tuple(np.moveaxis(indices, -1, 0))]
        return result
    rows = zip(x, indices, strict=True)
    return np.stack([_gather_nd(data, index, batch - 1) for data, index in rows])
