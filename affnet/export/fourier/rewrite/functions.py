"""Modulus, argument, powers, exponential and logarithm of complex values."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from affnet.export.fourier.rewrite.arithmetic import (
    Operand,
    operand,
    over,
    product,
    quotient,
    squared_modulus,
    times,
)
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.registry import Call, complex_rule, real_rule
from affnet.export.fourier.rewrite.values import Complex

aten = torch.ops.aten

# Beyond it repeated squaring would cost more, and round more, than the polar form.
_MAX_REPEATED_POWER = 16


_SMALLEST_NORMAL = 2.0**-14  # of float16


def modulus(emitter: Emitter, value: Complex) -> Node:
    """Return |z|; no mobile runtime has a hypot.

    For float16, where squares of values beyond 256 overflow, it is d sqrt((re / d)^2 + (im / d)^2),
    with d the larger of |re| and |im|, or float16's smallest normal number if that is larger still.
    """
    if emitter.half:
        parts = (value.real, value.imag)
        larger = emitter.call(aten.maximum.default, *_each(emitter, aten.abs.default, parts))
        larger = emitter.call(aten.clamp.default, larger, _SMALLEST_NORMAL)
        real, imag = _each(emitter, aten.div.Tensor, parts, larger)
        ratio = emitter.call(aten.sqrt.default, squared_modulus(emitter, (real, imag)))
        return emitter.call(aten.mul.Tensor, ratio, larger)
    square = squared_modulus(emitter, (value.real, value.imag))
    root = emitter.call(aten.sqrt.default, square)
    emitter.moduli.add(root)
    return root


def _each(emitter: Emitter, operator: Any, parts: tuple[Node, Node], *args: Any) -> list[Node]:
    return [emitter.call(operator, part, *args) for part in parts]


def argument(emitter: Emitter, value: Complex) -> Node:
    """Return the angle of z in (-pi, pi]."""
    return emitter.call(aten.atan2.default, value.imag, value.real)


def from_polar(emitter: Emitter, radius: Any, angle: Node) -> Operand:
    """Return radius * (cos angle, sin angle)."""
    return (
        times(emitter, radius, emitter.call(aten.cos.default, angle)),
        times(emitter, radius, emitter.call(aten.sin.default, angle)),
    )


@complex_rule(aten.abs.default)
def _abs(call: Call) -> Node:
    return modulus(call.emitter, call.args[0])


@real_rule(aten.pow.Tensor_Scalar)
def _square_of_modulus(call: Call) -> Any:
    """The square of a modulus is what its root was taken of."""
    root, exponent = call.args
    is_root = root.target is aten.sqrt.default and root in call.emitter.moduli
    return root.args[0] if exponent == 2 and is_root else NotImplemented


@complex_rule(aten.linalg_vector_norm.default)
def _vector_norm(call: Call) -> Node:
    """The norm of a complex vector is that of its moduli."""
    radius = modulus(call.emitter, call.args[0])
    return call.emitter.call(aten.linalg_vector_norm.default, radius, *call.args[1:], **call.kwargs)


@complex_rule(aten.angle.default)
def _angle(call: Call) -> Node:
    return argument(call.emitter, call.args[0])


@complex_rule(aten.sgn.default)
def _sgn(call: Call) -> Complex:
    """Z / |z|, and 0 where z is 0: there the quotient 0 / 0 is replaced by 0 / 1."""
    radius = modulus(call.emitter, call.args[0])
    is_zero = call.emitter.call(aten.eq.Scalar, radius, 0)
    one = call.emitter.call(aten.ones_like.default, radius)
    safe = call.emitter.call(aten.where.self, is_zero, one, radius)
    return call.emitter.result(
        over(call.emitter, call.args[0].real, safe), over(call.emitter, call.args[0].imag, safe)
    )


@complex_rule(aten.polar.default)
def _polar(call: Call) -> Complex:
    return call.emitter.result(*from_polar(call.emitter, call.args[0], call.args[1]))


@complex_rule(aten.exp.default)
def _exp(call: Call) -> Complex:
    return call.emitter.result(*_exponential(call.emitter, (call.args[0].real, call.args[0].imag)))


def _exponential(emitter: Emitter, z: tuple[Node, Node]) -> Operand:
    return from_polar(emitter, emitter.call(aten.exp.default, z[0]), z[1])


@complex_rule(aten.log.default)
def _log(call: Call) -> Complex:
    radius = call.emitter.call(aten.log.default, modulus(call.emitter, call.args[0]))
    return call.emitter.result(radius, argument(call.emitter, call.args[0]))


@complex_rule(aten.sqrt.default)
def _sqrt(call: Call) -> Complex:
    return call.emitter.result(*_polar_power(call.emitter, call.args[0], 0.5))


@complex_rule(aten.square.default)
def _square(call: Call) -> Complex:
    z = operand(call.emitter, call.args[0])
    return call.emitter.result(*product(call.emitter, z, z))


@complex_rule(aten.pow.Tensor_Scalar)
def _pow(call: Call) -> Complex:
    base, exponent = call.args[0], call.args[1]
    if isinstance(exponent, complex):  # of a complex one that is none there is a formula
        exponent = exponent.real
    if not isinstance(base, Complex):
        return call.emitter.result(
            call.emitter.call(aten.pow.Tensor_Scalar, call.args[0], exponent), None
        )
    if float(exponent).is_integer() and abs(exponent) <= _MAX_REPEATED_POWER:
        result = _repeated_power(call.emitter, operand(call.emitter, base), abs(int(exponent)))
        if exponent < 0:
            result = quotient(call.emitter, (1.0, None), result)
    else:
        result = _polar_power(call.emitter, base, float(exponent))
    return call.emitter.result(*result)


def _repeated_power(emitter: Emitter, z: Operand, exponent: int) -> Operand:
    """Return z^exponent by squaring: the product of z^(2^k) over the bits k of the exponent."""
    result: Operand = (1.0, None)
    while exponent:
        if exponent % 2:
            result = product(emitter, result, z)
        exponent //= 2
        if exponent:
            z = product(emitter, z, z)
    return result


def _polar_power(emitter: Emitter, z: Complex, exponent: float) -> Operand:
    """Return |z|^p (cos p a, sin p a) for the angle a of z."""
    radius = emitter.call(aten.pow.Tensor_Scalar, modulus(emitter, z), exponent)
    angle = emitter.call(aten.mul.Tensor, argument(emitter, z), exponent)
    return from_polar(emitter, radius, angle)
