"""Operators that give the same elements another shape or order."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, operator


@operator("reshape", exact=True)
def _reshape(x: Array, shape: Array) -> Array:
    target = [int(size) for size in shape]
    for place in range(1, len(target) + 1):  # from the right, as iOS 17 has it; before, ranks agree
        if target[-place] == 0:
            target[-place] = x.shape[-place] if place <= x.ndim else 1
    return x.reshape(target)


@operator("reshape_like", lists=["ref_tensors", "begins", "ends", "end_masks"], exact=True)
def _reshape_like(
    x: Array,
    ref_tensors: list[Array],
    begins: list[Array],
    ends: list[Array],
    end_masks: list[Array],
) -> Array:
    target: list[int] = []
    for tensor, begin, end, open_end in zip(ref_tensors, begins, ends, end_masks, strict=True):
        target += tensor.shape[int(begin) : None if open_end else int(end)]
    return x.reshape(target)


@operator("flatten2d", exact=True)
def _flatten2d(x: Array, axis: Array | int = 1) -> Array:
    rows = int(np.prod(x.shape[: int(axis)]))
    return x.reshape(rows, x.size // rows if rows else 0)


@operator("transpose", exact=True)
def _transpose(x: Array, perm: Array) -> Array:
    return x.transpose([int(axis) for axis in perm])


@operator("expand_dims", exact=True)
def _expand_dims(x: Array, axes: Array) -> Array:
    return np.expand_dims(x, tuple(int(axis) for axis in axes))


@operator("squeeze", exact=True)
def _squeeze(x: Array, axes: Array | None = None) -> Array:
    if axes is None:
        return np.squeeze(x)
    # like PyTorch, an axis that is longer than 1 stays
    return np.squeeze(x, tuple(int(axis) for axis in axes if x.shape[int(axis)] == 1))


@operator("reverse", exact=True)
def _reverse(x: Array, axes: Array | None = None) -> Array:
    return np.flip(x, None if axes is None else tuple(int(axis) for axis in axes))


@operator("reverse_sequence", exact=True)
def _reverse_sequence(
    x: Array, lengths: Array, seq_axis: Array | int = 0, batch_axis: Array | int = 0
) -> Array:
    # the batch axis first and the sequence second: row i's first lengths[i] elements are reversed
    moved = np.moveaxis(x, (int(batch_axis), int(seq_axis)), (0, 1)).copy()
    for row, length in zip(moved, lengths, strict=True):
        row[: int(length)] = row[: int(length)][::-1].copy()
    return np.moveaxis(moved, (0, 1), (int(batch_axis), int(seq_axis)))


@operator("shape")
def _shape(x: Array) -> Array:
    return np.array(x.shape, np.int32)


@operator("sliding_windows", exact=True)
def _sliding_windows(x: Array, axis: Array, size: Array, stride: Array | int = 1) -> Array:
    place = int(axis) % x.ndim
    windows = np.lib.stride_tricks.sliding_window_view(x, int(size), place)
    steps = (slice(None),) * place + (slice(None, None, int(stride)),)
    return np.moveaxis(windows[steps], -1, place + 1)
