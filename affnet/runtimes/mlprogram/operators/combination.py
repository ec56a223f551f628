"""Operators that join or part tensors, or repeat and pad one."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, operator


@operator("concat", lists=["values"], exact=True)
def _concat(values: list[Array], axis: Array, interleave: Array | bool = False) -> Array:
    if values[0].ndim == 0:
        return np.stack(values)
    if not interleave:
        return np.concatenate(values, axis=int(axis))
    place = int(axis) % values[0].ndim
    shape = list(values[0].shape)
    shape[place] *= len(values)
    return np.stack(values, axis=place + 1).reshape(shape)


@operator("stack", lists=["values"], exact=True)
def _stack(values: list[Array], axis: Array) -> Array:
    return np.stack(values, axis=int(axis))


@operator("split", exact=True)
def _split(
    x: Array, axis: Array, num_splits: Array | None = None, split_sizes: Array | None = None
) -> list[Array]:
    if split_sizes is not None:
        bounds = np.cumsum(split_sizes)[:-1]
        return np.split(x, [int(bound) for bound in bounds], axis=int(axis))
    if num_splits is None:
        raise ValueError("neither num_splits nor split_sizes is given")
    return np.split(x, int(num_splits), axis=int(axis))


@operator("tile", exact=True)
def _tile(x: Array, reps: Array) -> Array:
    return np.tile(x, [int(count) for count in reps])


_PAD_MODES = {"reflect": "reflect", "replicate": "edge"}


@operator("pad", exact=True)
def _pad(x: Array, pad: Array, mode: str = "constant", constant_val: Array | float = 0.0) -> Array:
    amounts = [(int(before), int(after)) for before, after in pad.reshape(-1, 2)]
    amounts = [(0, 0)] * (x.ndim - len(amounts)) + amounts  # they are those of the last axes
    if mode == "constant":
        return np.pad(x, amounts, constant_values=np.asarray(constant_val).item())
    if mode not in _PAD_MODES:
        raise ValueError(f"unknown mode {mode}")
    return np.pad(x, amounts, mode=_PAD_MODES[mode])  # type: ignore[call-overload,no-any-return]


@operator("crop", exact=True)
def _crop(x: Array, crop_height: Array, crop_width: Array) -> Array:
    top, bottom = (int(size) for size in crop_height)
    left, right = (int(size) for size in crop_width)
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]
