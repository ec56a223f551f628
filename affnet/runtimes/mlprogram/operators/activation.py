"""Activations and softmax; each is computed in float32 and rounded once, at its end."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.elementwise import erf
from affnet.runtimes.mlprogram.operators.registry import Array, operator


def _per_channel(parameter: Array, x: Array) -> Array:
    """Shape a parameter of length C to broadcast over axis 1 of ``x``."""
    return np.reshape(parameter, (1, -1) + (1,) * (x.ndim - 2))


@operator("relu", exact=True)
def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


@operator("relu6", exact=True)
def _relu6(x: Array) -> Array:
    return np.clip(x, 0, 6)


@operator("sigmoid")
def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + e^-x); the overflow of e^-x to infinity gives the right 0."""
    result: Array = np.negative(x, out=np.empty_like(x))
    np.exp(result, out=result)  # in place, as most of a network's time is spent on new memory
    result += 1
    return np.reciprocal(result, out=result)


@operator("silu")
def _silu(x: Array) -> Array:
    result = sigmoid(x)
    result *= x
    return result


@operator("gelu")
def _gelu(x: Array, mode: str = "EXACT") -> Array:
    if mode == "TANH_APPROXIMATION":
        inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)
        approximate: Array = np.float32(0.5) * x * (1 + np.tanh(inner))
        return approximate
    if mode == "SIGMOID_APPROXIMATION":
        return x * sigmoid(np.float32(1.702) * x)
    if mode != "EXACT":
        raise ValueError(f"unknown mode {mode}")
    exact: Array = np.float32(0.5) * x * (1 + erf(x * np.float32(np.sqrt(0.5))))
    return exact


@operator("leaky_relu")
def _leaky_relu(x: Array, alpha: Array) -> Array:
    return np.where(x >= 0, x, alpha * x)


@operator("prelu")
def _prelu(x: Array, alpha: Array) -> Array:
    return np.where(x >= 0, x, _per_channel(alpha, x) * x)


@operator("elu")
def _elu(x: Array, alpha: Array) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@operator("clamped_relu")
def _clamped_relu(x: Array, alpha: Array, beta: Array) -> Array:
    return np.minimum(np.where(x >= 0, x, alpha * x), beta)


@operator("thresholded_relu", exact=True)
def _thresholded_relu(x: Array, alpha: Array) -> Array:
    return np.where(x >= alpha, x, np.float32(0))


@operator("linear_activation")
def _linear_activation(x: Array, alpha: Array, beta: Array) -> Array:
    return alpha * x + beta


@operator("scaled_tanh")
def _scaled_tanh(x: Array, alpha: Array, beta: Array) -> Array:
    result: Array = alpha * np.tanh(beta * x)
    return result


@operator("sigmoid_hard")
def _sigmoid_hard(x: Array, alpha: Array, beta: Array) -> Array:
    result: Array = np.clip(alpha * x + beta, 0, 1)
    return result


def _softplus_of(x: Array) -> Array:
    return np.logaddexp(x, np.float32(0))


@operator("softplus")
def _softplus(x: Array) -> Array:
    return _softplus_of(x)


@operator("softplus_parametric")
def _softplus_parametric(x: Array, alpha: Array, beta: Array) -> Array:
    return _per_channel(alpha, x) * _softplus_of(_per_channel(beta, x) * x)


@operator("softsign")
def _softsign(x: Array) -> Array:
    result: Array = x / (1 + np.abs(x))
    return result


@operator("softmax")
def softmax(x: Array, axis: Array | int = -1) -> Array:
    """Return e^x over its sum along ``axis``, with the maximum taken off against overflow."""
    exponentials = np.exp(x - np.max(x, axis=int(axis), keepdims=True))
    result: Array = exponentials / np.sum(exponentials, axis=int(axis), keepdims=True)
    return result
