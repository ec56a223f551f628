"""Operators on each element: arithmetic, comparison, logic, functions of one number."""

from __future__ import annotations

import numpy as np

from affnet.runtimes.mlprogram.operators.registry import Array, Function, operator
from affnet.runtimes.mlprogram.types import dtype_from_parameter, numpy_dtype

_BINARY: dict[str, Function] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "real_div": np.true_divide,
    "floor_div": np.floor_divide,
    "mod": np.mod,
    "pow": np.power,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}

_UNARY: dict[str, Function] = {
    "abs": np.abs,
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "exp": np.exp,
    "exp2": np.exp2,
    "floor": np.floor,
    "logical_not": np.logical_not,
    "round": np.round,  # halves to even: 0.5 to 0
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "square": np.square,
    "tan": np.tan,
    "tanh": np.tanh,
}


def _register_tables() -> None:
    def binary(compute: Function) -> Function:
        def apply(x: Array, y: Array) -> Array:
            result: Array = compute(x, y)
            return result

        return apply

    def unary(compute: Function) -> Function:
        def apply(x: Array) -> Array:
            result: Array = compute(x)
            return result

        return apply

    for name, compute in _BINARY.items():
        operator(name)(binary(compute))
    for name, compute in _UNARY.items():
        operator(name)(unary(compute))


_register_tables()


@operator("erf")
def erf(x: Array) -> Array:
    """Return the error function, which numpy lacks."""
    import torch

    result: Array = torch.erf(torch.from_numpy(np.array(x))).numpy()
    return result


@operator("inverse")
def _inverse(x: Array, epsilon: Array | float = 1e-4) -> Array:
    return np.reciprocal(x + np.float32(epsilon))


@operator("log")
def _log(x: Array, epsilon: Array | float = 1e-45) -> Array:
    return np.log(x + np.float32(epsilon))


@operator("rsqrt")
def _rsqrt(x: Array, epsilon: Array | float = 1e-12) -> Array:
    return np.reciprocal(np.sqrt(x + np.float32(epsilon)))


@operator("clip", exact=True)
def _clip(x: Array, alpha: Array, beta: Array) -> Array:
    return np.minimum(np.maximum(x, alpha), beta)


@operator("threshold", exact=True)
def _threshold(x: Array, alpha: Array) -> Array:
    return np.maximum(x, alpha)


@operator("cast")
def cast(x: Array, dtype: str) -> Array:
    """Return ``x`` as ``dtype``: to an integer by dropping the fraction, to bool as x != 0."""
    name = dtype_from_parameter(dtype)
    return x.astype(np.float32 if name == "float16" else numpy_dtype(name))


@operator("identity", exact=True)
def _identity(x: Array) -> Array:
    return x
