"""Operators that choose among elements: by condition, by order, by class."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, operator


@operator("select", exact=True)
def _select(cond: Array, a: Array, b: Array) -> Array:
    return np.where(cond, a, b)


def _order(x: Array, axis: int, ascending: bool) -> Array:
    # stable, so that equal elements keep their order; float64 holds all of MIL's types exactly
    keys = x.astype(np.float64)
    return np.argsort(keys if ascending else -keys, axis=axis, kind="stable")


@operator("argsort")
def _argsort(x: Array, axis: Array | int = -1, ascending: Array | bool = False) -> Array:
    return _order(x, int(axis), bool(ascending))


@operator("topk", ignored=["sort", "output_indices_dtype"], exact=True)
def _topk(
    x: Array,
    k: Array | int = 1,
    axis: Array | int = -1,
    ascending: Array | bool = False,
    return_indices: Array | bool = True,
) -> list[Array]:
    place = int(axis)
    count = x.shape[place] if int(k) == -1 else int(k)
    indices = np.take(_order(x, place, bool(ascending)), np.arange(count), axis=place)
    values = np.take_along_axis(x, indices, place)
    return [values, indices] if return_indices else [values]


@operator("classify")
def _classify(
    probabilities: Array, classes: list[str] | list[Array]
) -> tuple[str | int, dict[str | int, float]]:
    labels = [label if isinstance(label, str) else int(label) for label in classes]
    flat = probabilities.reshape(-1)
    scores = dict(zip(labels, map(float, flat), strict=True))
    return labels[int(np.argmax(flat))], scores
