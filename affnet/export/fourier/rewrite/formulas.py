"""Complex operators written with others, before the rules see them.

Each is the textbook formula in z = x + i y, written with torch's functions so that it can be read,
in a form that neither overflows nor cancels where the result does not.  They apply to complex
tensors only, as on a real one the operator stays as it is, but for those of `small_matrices`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

aten = torch.ops.aten

Formula = Callable[..., Any]
F = TypeVar("F", bound=Formula)

#: By operator, in the form that `ExportedProgram.run_decompositions` takes.
FORMULAS: dict[Any, Formula] = {}


def formula(*operators: Any, real: bool = False) -> Callable[[F], F]:
    """Register the decorated function for these operators on complex tensors; on any, if ``real``.

    On real tensors it is used in programs that hold a transform or a complex value.
    """

    def register(function: F) -> F:
        @functools.wraps(function)
        def on_complex(*args: Any, **kwargs: Any) -> Any:
            given = (*args, *kwargs.values())
            if not any(_is_complex(value) for value in given):
                return NotImplemented  # a real operator stays
            return function(*args, **kwargs)

        FORMULAS.update(dict.fromkeys(operators, function if real else on_complex))
        return function

    return register


def _is_complex(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.is_complex()
    if isinstance(value, list | tuple):
        return any(map(_is_complex, value))
    return isinstance(value, complex) or (isinstance(value, torch.dtype) and value.is_complex)


@formula(aten.sin.default)
def _sin(z: Tensor) -> Tensor:
    x, y = z.real, z.imag
    return torch.complex(x.sin() * y.cosh(), x.cos() * y.sinh())


@formula(aten.cos.default)
def _cos(z: Tensor) -> Tensor:
    x, y = z.real, z.imag
    return torch.complex(x.cos() * y.cosh(), -(x.sin() * y.sinh()))


@formula(aten.sinh.default)
def _sinh(z: Tensor) -> Tensor:
    x, y = z.real, z.imag
    return torch.complex(x.sinh() * y.cos(), x.cosh() * y.sin())


@formula(aten.cosh.default)
def _cosh(z: Tensor) -> Tensor:
    x, y = z.real, z.imag
    return torch.complex(x.cosh() * y.cos(), x.sinh() * y.sin())


def _tangent(circular: Tensor, hyperbolic: Tensor) -> tuple[Tensor, Tensor]:
    """Return both parts of tan(a + i b): sin a cos a (1 - t^2) / d and t / d, with t = tanh b.

    d = cos^2 a + t^2 sin^2 a; a quotient of cosh and sinh would overflow where the result is 1.
    """
    s, c, t = circular.sin(), circular.cos(), hyperbolic.tanh()
    d = c * c + t * t * s * s
    return s * c * (1 - t * t) / d, t / d


@formula(aten.tan.default)
def _tan(z: Tensor) -> Tensor:
    return torch.complex(*_tangent(z.real, z.imag))


@formula(aten.tanh.default)
def _tanh(z: Tensor) -> Tensor:
    imag, real = _tangent(z.imag, z.real)
    return torch.complex(real, imag)


@formula(aten.asinh.default)
def _asinh(z: Tensor) -> Tensor:
    """Return log(z + sqrt(z^2 + 1)) on the side where that does not cancel: it is odd."""
    sign = torch.where(z.real < 0, -1.0, 1.0)
    w = z * sign
    return torch.log(w + torch.sqrt(w * w + 1)) * sign


@formula(aten.asin.default)
def _asin(z: Tensor) -> Tensor:
    w = _asinh(torch.complex(-z.imag, z.real))  # of i z, divided by i
    return torch.complex(w.imag, -w.real)


@formula(aten.acos.default)
def _acos(z: Tensor) -> Tensor:
    w = _asin(z)
    return torch.complex(math.pi / 2 - w.real, -w.imag)


@formula(aten.acosh.default)
def _acosh(z: Tensor) -> Tensor:
    return torch.log(z + torch.sqrt(z + 1) * torch.sqrt(z - 1))


@formula(aten.atanh.default)
def _atanh(z: Tensor) -> Tensor:
    return (_log1p(z) - _log1p(-z)) / 2


@formula(aten.atan.default)
def _atan(z: Tensor) -> Tensor:
    w = _atanh(torch.complex(-z.imag, z.real))
    return torch.complex(w.imag, -w.real)


@formula(aten.log1p.default)
def _log1p(z: Tensor) -> Tensor:
    x, y = z.real, z.imag
    return torch.complex(torch.log1p(x * (2 + x) + y * y) / 2, torch.atan2(y, 1 + x))


@formula(aten.expm1.default)
def _expm1(z: Tensor) -> Tensor:
    """Return e^x cos y - 1 as expm1(x) cos y - 2 sin^2(y / 2), which does not cancel near 0."""
    x, y = z.real, z.imag
    half = torch.sin(y / 2)
    return torch.complex(torch.expm1(x) * y.cos() - 2 * half * half, x.exp() * y.sin())


@formula(aten.log2.default)
def _log2(z: Tensor) -> Tensor:
    return torch.log(z) * (1 / math.log(2))


@formula(aten.log10.default)
def _log10(z: Tensor) -> Tensor:
    return torch.log(z) * (1 / math.log(10))


@formula(aten.exp2.default)
def _exp2(z: Tensor) -> Tensor:
    return torch.exp(z * math.log(2))


@formula(aten.rsqrt.default)
def _rsqrt(z: Tensor) -> Tensor:
    return torch.sqrt(z).reciprocal()


@formula(aten.sigmoid.default)
def _sigmoid(z: Tensor) -> Tensor:
    """Return (1 + tanh(z / 2)) / 2, which does not overflow."""
    return (1 + _tanh(z / 2)) / 2


@formula(aten.silu.default)
def _silu(z: Tensor) -> Tensor:
    return z * _sigmoid(z)


@formula(aten.sinc.default)
def _sinc(z: Tensor) -> Tensor:
    w = z * math.pi
    is_zero = z.abs() == 0
    return torch.where(is_zero, 1.0, _sin(w) / torch.where(is_zero, 1.0, w))


@formula(aten.pow.Tensor_Tensor)
def _power(z: Tensor, exponent: Tensor) -> Tensor:
    """Return exp(p log z), and 0 where z is 0, but for an exponent of 0."""
    z, exponent = _both_complex(z, exponent)
    is_zero = z.abs() == 0
    power = torch.exp(exponent * torch.log(torch.where(is_zero, 1.0, z)))
    at_zero = torch.where(exponent.abs() == 0, 1.0, 0.0)
    return torch.where(is_zero, at_zero.to(power.dtype), power)


@formula(aten.pow.Tensor_Scalar)
def _power_by_number(z: Tensor, exponent: complex) -> Any:
    """Return exp(p log z) for a complex p; a real one has a rule of its own."""
    if not (isinstance(exponent, complex) and exponent.imag):
        return NotImplemented
    return _power(z, torch.full_like(z, exponent, dtype=torch.result_type(z, exponent)))


@formula(aten.pow.Scalar)
def _power_of_number(base: complex, exponent: Tensor) -> Tensor:
    dtype = exponent.dtype if exponent.is_complex() else exponent.dtype.to_complex()
    return _power(torch.full_like(exponent, base, dtype=dtype), exponent)


def _both_complex(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    dtype = torch.result_type(a, b)
    return a.to(dtype), b.to(dtype)
