"""Normalisations; their sums are float32, whatever the type of the map."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.convolution import to_torch
from affnet.runtimes.mlprogram.operators.registry import Array, operator


def _channels(parameter: Array | None, x: Array, default: float) -> Array:
    """Shape a parameter of length C to broadcast over axis 1 of ``x``."""
    if parameter is None:
        return np.array(default, np.float32)
    return parameter.reshape(-1, *[1] * (x.ndim - 2))


def _standardise(x: Array, axes: tuple[int, ...], epsilon: Array | float) -> Array:
    centred = x - np.mean(x, axis=axes, keepdims=True)
    variance = np.mean(np.square(centred), axis=axes, keepdims=True)
    result: Array = centred / np.sqrt(variance + np.float32(epsilon))
    return result


@operator("batch_norm")
def _batch_norm(
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    epsilon: Array | float = 1e-5,
) -> Array:
    scale = _channels(gamma, x, 1) / np.sqrt(_channels(variance, x, 1) + np.float32(epsilon))
    result: Array = (x - _channels(mean, x, 0)) * scale + _channels(beta, x, 0)
    return result


@operator("instance_norm")
def _instance_norm(
    x: Array, gamma: Array | None = None, beta: Array | None = None, epsilon: Array | float = 1e-5
) -> Array:
    standard = _standardise(x, tuple(range(2, x.ndim)), epsilon)
    return standard * _channels(gamma, x, 1) + _channels(beta, x, 0)


@operator("layer_norm")
def _layer_norm(
    x: Array,
    axes: Array | None = None,
    gamma: Array | None = None,
    beta: Array | None = None,
    epsilon: Array | float = 1e-5,
) -> Array:
    over = tuple(range(x.ndim)) if axes is None else tuple(int(axis) % x.ndim for axis in axes)
    shape = [size if axis in over else 1 for axis, size in enumerate(x.shape)]
    result = _standardise(x, over, epsilon)
    if gamma is not None:
        result = result * gamma.reshape(shape)
    return result if beta is None else result + beta.reshape(shape)


@operator("l2_norm")
def _l2_norm(x: Array, epsilon: Array | float = 1e-6) -> Array:
    squares = np.sum(np.square(x), axis=(-3, -2, -1), keepdims=True)
    result: Array = x / np.sqrt(squares + np.float32(epsilon))
    return result


@operator("local_response_norm")
def _local_response_norm(
    x: Array,
    size: Array,
    alpha: Array | float = 1e-4,
    beta: Array | float = 0.75,
    k: Array | float = 1.0,
) -> Array:
    import torch.nn.functional as F

    result: Array = F.local_response_norm(
        to_torch(x), int(size), float(alpha), float(beta), float(k)
    ).numpy()
    return result
