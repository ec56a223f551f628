"""Reductions over axes; sums are float32, whatever the type of the map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, Function, operator

#: A reduction: the array, the axes (None for all) and whether they stay with length 1.
_Reduce = Callable[[Array, tuple[int, ...] | None, bool], Array]


def _log_sum_exp(x: Array, axes: tuple[int, ...] | None, keep: bool) -> Array:
    highest = np.max(x, axis=axes, keepdims=True)
    # infinite maxima: subtracting them would give NaN
    highest = np.where(np.isfinite(highest), highest, np.float32(0))
    total: Array = np.log(np.sum(np.exp(x - highest), axis=axes, keepdims=True)) + highest
    return total if keep else np.squeeze(total, axis=axes)


_REDUCTIONS: dict[str, _Reduce] = {
    "reduce_l1_norm": lambda x, axes, keep: np.sum(np.abs(x), axis=axes, keepdims=keep),
    "reduce_l2_norm": lambda x, axes, keep: np.sqrt(np.sum(np.square(x), axis=axes, keepdims=keep)),
    "reduce_log_sum": lambda x, axes, keep: np.log(np.sum(x, axis=axes, keepdims=keep)),
    "reduce_log_sum_exp": _log_sum_exp,
    "reduce_max": lambda x, axes, keep: np.max(x, axis=axes, keepdims=keep),
    "reduce_mean": lambda x, axes, keep: np.mean(x, axis=axes, keepdims=keep),
    "reduce_min": lambda x, axes, keep: np.min(x, axis=axes, keepdims=keep),
    "reduce_prod": lambda x, axes, keep: np.prod(x, axis=axes, keepdims=keep),
    "reduce_sum": lambda x, axes, keep: np.sum(x, axis=axes, keepdims=keep),
    "reduce_sum_square": lambda x, axes, keep: np.sum(np.square(x), axis=axes, keepdims=keep),
}


def _register_table() -> None:
    def over_axes(compute: _Reduce) -> Function:
        def apply(x: Array, axes: Array | None = None, keep_dims: Array | bool = False) -> Array:
            over = None if axes is None else tuple(int(axis) for axis in axes)
            return compute(x, over, bool(keep_dims))

        return apply

    for name, compute in _REDUCTIONS.items():
        operator(name)(over_axes(compute))


_register_table()


@operator("reduce_argmax", ignored=["output_dtype"])
def _reduce_argmax(x: Array, axis: Array | int = -1, keep_dims: Array | bool = False) -> Array:
    result: Array = np.argmax(x, axis=int(axis), keepdims=bool(keep_dims))
    return result


@operator("reduce_argmin", ignored=["output_dtype"])
def _reduce_argmin(x: Array, axis: Array | int = -1, keep_dims: Array | bool = False) -> Array:
    result: Array = np.argmin(x, axis=int(axis), keepdims=bool(keep_dims))
    return result
