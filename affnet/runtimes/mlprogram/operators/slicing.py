"""Slices, read and written."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, operator


def _index(
    x: Array,
    begin: Array,
    end: Array,
    stride: Array | None,
    begin_mask: Array | None,
    end_mask: Array | None,
    squeeze_mask: Array | None,
) -> tuple[int | slice, ...]:
    """Return the index that MIL's description of a slice amounts to."""
    index: list[int | slice] = []
    for axis in range(x.ndim):
        first, last = int(begin[axis]), int(end[axis])
        open_first = begin_mask is not None and bool(begin_mask[axis])
        open_last = end_mask is not None and bool(end_mask[axis])
        if squeeze_mask is not None and squeeze_mask[axis]:
            index.append(0 if open_first else first)
            continue
        step = 1 if stride is None else int(stride[axis])
        index.append(slice(None if open_first else first, None if open_last else last, step))
    return tuple(index)


@operator("slice_by_index", exact=True)
def _slice_by_index(
    x: Array,
    begin: Array,
    end: Array,
    stride: Array | None = None,
    begin_mask: Array | None = None,
    end_mask: Array | None = None,
    squeeze_mask: Array | None = None,
) -> Array:
    return x[_index(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)]


@operator("slice_update", exact=True)
def _slice_update(
    x: Array,
    update: Array,
    begin: Array,
    end: Array,
    stride: Array | None = None,
    begin_mask: Array | None = None,
    end_mask: Array | None = None,
    squeeze_mask: Array | None = None,
) -> Array:
    result = x.copy()
    result[_index(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)] = update
    return result


@operator("slice_by_size", exact=True)
def _slice_by_size(x: Array, begin: Array, size: Array) -> Array:
    index = []
    for axis, length in enumerate(x.shape):
        first, count = int(begin[axis]), int(size[axis])
        first += length if first < 0 else 0
        index.append(slice(first, length if count == -1 else first + count))
    return x[tuple(index)]


@operator("band_part", exact=True)
def _band_part(x: Array, lower: Array | int = -1, upper: Array | int = -1) -> Array:
    rows, columns = np.indices(x.shape[-2:])
    below, above = int(lower), int(upper)
    kept = np.ones(x.shape[-2:], np.bool_)
    if below >= 0:
        kept &= rows - columns <= below
    if above >= 0:
        kept &= columns - rows <= above
    return np.where(kept, x, np.zeros((), x.dtype))
