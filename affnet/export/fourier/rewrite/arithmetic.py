"""Sums, products and quotients of complex values, element by element.

torch takes a real operand for a complex one whose imaginary part is +0, and computes with that: 1
times -1 is -1 + 0j, of the angle pi, since the 1 * 0 in the imaginary part makes +0 of its -0.
Where a program asks for angles, imaginary parts get the zeros of torch's; elsewhere that is spared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.registry import Call, complex_rule
from affnet.export.fourier.rewrite.values import Complex, Part, real_dtype

aten = torch.ops.aten

Operand = tuple[Part, Part]


def operand(emitter: Emitter, value: Any) -> Operand:
    """Return the parts of an operand, with None where a part is exactly zero."""
    if isinstance(value, Complex):
        return value.real, value.imag
    if isinstance(value, Node):
        fake = value.meta["val"]
        if isinstance(fake, torch.Tensor) and not fake.is_floating_point():
            # bool tensors know no subtraction, and converters mix integers and floats unwillingly
            value = emitter.cast(value, real_dtype(emitter.want.dtype))
        return value, None
    number = complex(value)
    return number.real or None, number.imag or None


def with_positive_zeros(emitter: Emitter, part: Part) -> Part:
    """Return ``part`` + 0.0, which makes +0 of -0, in a form that converters do not drop."""
    if not emitter.signed_zeros or not isinstance(part, Node):
        return part
    is_zero = emitter.call(aten.eq.Scalar, part, 0)
    zeros = emitter.call(aten.zeros_like.default, part)
    return emitter.call(aten.where.self, is_zero, zeros, part)


def plus(emitter: Emitter, a: Part, b: Part) -> Part:
    """Return a + b."""
    if a is None or b is None:
        return b if a is None else a
    return _binary(emitter, aten.add.Tensor, a, b)


def minus(emitter: Emitter, a: Part, b: Part) -> Part:
    """Return a - b."""
    if b is None:
        return a
    return negative(emitter, b) if a is None else _binary(emitter, aten.sub.Tensor, a, b)


def times(emitter: Emitter, a: Part, b: Part) -> Part:
    """Return a * b."""
    if a is None or b is None:
        return None
    for this, other in ((a, b), (b, a)):
        if not isinstance(this, Node) and this in (1, -1):
            return other if this == 1 else negative(emitter, other)
    return _binary(emitter, aten.mul.Tensor, a, b)


def over(emitter: Emitter, a: Part, b: Part) -> Part:
    """Return a / b."""
    if a is None:
        return None
    return _binary(emitter, aten.div.Tensor, a, 0.0 if b is None else b)


def negative(emitter: Emitter, a: Part) -> Part:
    """Return -a."""
    if isinstance(a, Node):
        return emitter.call(aten.neg.default, a)
    return None if a is None else -a


def _binary(emitter: Emitter, operator: Any, a: Node | float, b: Node | float) -> Part:
    if isinstance(a, Node):
        return emitter.call(operator, a, b)
    if not isinstance(b, Node):
        result: float = operator(torch.tensor(a, dtype=torch.float64), b).item()
        return result
    if operator is aten.sub.Tensor:  # the first operand of an ATen call must be a tensor
        return plus(emitter, negative(emitter, b), a)
    if operator is aten.div.Tensor:
        return times(emitter, emitter.call(aten.reciprocal.default, b), a)
    return emitter.call(operator, b, a)


def product(emitter: Emitter, a: Operand, b: Operand) -> Operand:
    """Return (a_r b_r - a_i b_i, a_r b_i + a_i b_r)."""
    real = minus(emitter, times(emitter, a[0], b[0]), times(emitter, a[1], b[1]))
    imag = plus(emitter, times(emitter, a[0], b[1]), times(emitter, a[1], b[0]))
    return real, imag


def _with_zeros_of_product(emitter: Emitter, imag: Part, a: Operand, b: Operand) -> Part:
    """Return the imaginary part of a complex a times a real b with the zeros that torch gives it.

    torch adds a_r * 0 to it, by which it becomes +0 where a_r is positive; and only where b is
    negative does that make a difference to an angle.
    """
    if a[1] is None:
        a, b = b, a
    if b[1] is not None or not emitter.signed_zeros:
        return imag
    if isinstance(b[0], Node) and isinstance(a[0], Node) and isinstance(imag, Node):
        # chosen, not added: TFLite's converter drops a product with 0
        of_positive = emitter.call(aten.ge.Scalar, a[0], 0)
        is_zero = emitter.call(aten.eq.Scalar, imag, 0)
        becomes_zero = emitter.call(aten.logical_and.default, is_zero, of_positive)
        zeros = emitter.call(aten.zeros_like.default, imag)
        return emitter.call(aten.where.self, becomes_zero, zeros, imag)
    may_be_negative = isinstance(b[0], Node) or (b[0] is not None and b[0] < 0)
    return with_positive_zeros(emitter, imag) if may_be_negative else imag


def squared_modulus(emitter: Emitter, a: Operand) -> Part:
    """Return a_r^2 + a_i^2; it leaves the range of float32 where |a| is beyond about 1e19."""
    return plus(emitter, times(emitter, a[0], a[0]), times(emitter, a[1], a[1]))


def quotient(emitter: Emitter, a: Operand, b: Operand) -> Operand:
    """Return a / b as a conj(b) / |b|^2.

    For float16, where |b|^2 overflows or vanishes, both are divided by the larger part of b before.
    """
    if b[1] is None:
        return over(emitter, a[0], b[0]), over(emitter, with_positive_zeros(emitter, a[1]), b[0])
    if emitter.half and isinstance(b[0], Node) and isinstance(b[1], Node):
        larger = emitter.call(
            aten.maximum.default, *(emitter.call(aten.abs.default, part) for part in b)
        )
        b = over(emitter, b[0], larger), over(emitter, b[1], larger)
        a = over(emitter, a[0], larger), over(emitter, a[1], larger)
    real, imag = product(emitter, a, (b[0], negative(emitter, b[1])))
    modulus = squared_modulus(emitter, b)
    return over(emitter, real, modulus), over(emitter, imag, modulus)


@complex_rule(aten.add.Tensor, aten.add.Scalar)
def _add(call: Call) -> Complex:
    return _joined(call, plus, *_scaled(call, call.args[0], call.args[1]))


@complex_rule(aten.sub.Tensor, aten.sub.Scalar)
def _sub(call: Call) -> Complex:
    return _joined(call, minus, *_scaled(call, call.args[0], call.args[1]))


@complex_rule(aten.rsub.Tensor, aten.rsub.Scalar)
def _rsub(call: Call) -> Complex:
    return _joined(call, minus, *_scaled(call, call.args[1], call.args[0]))


def _joined(call: Call, join: Callable[[Emitter, Part, Part], Part], *both: Operand) -> Complex:
    """Return a sum or a difference, in which the +0 of a real operand leaves no -0."""
    real, imag = (join(call.emitter, *parts) for parts in zip(*both, strict=True))
    if any(imaginary is None for _, imaginary in both):
        imag = with_positive_zeros(call.emitter, imag)
    return call.emitter.result(real, imag)


def _scaled(call: Call, a: Any, b: Any) -> tuple[Operand, Operand]:
    """Return a and alpha b as operands."""
    alpha = operand(call.emitter, call.argument(2, "alpha", 1))
    return operand(call.emitter, a), product(call.emitter, operand(call.emitter, b), alpha)


@complex_rule(aten.mul.Tensor, aten.mul.Scalar)
def _mul(call: Call) -> Complex:
    a, b = (operand(call.emitter, value) for value in call.args)
    real, imag = product(call.emitter, a, b)
    return call.emitter.result(real, _with_zeros_of_product(call.emitter, imag, a, b))


@complex_rule(aten.div.Tensor, aten.div.Scalar)
def _div(call: Call) -> Complex:
    a, b = (operand(call.emitter, value) for value in call.args)
    return call.emitter.result(*quotient(call.emitter, a, b))


@complex_rule(aten.neg.default, aten._neg_view.default)
def _neg(call: Call) -> Complex:
    """Subtract from +0, as torch's kernel does except in the last elements of a row."""
    emitter = call.emitter
    parts = (negative(emitter, part) for part in operand(emitter, call.args[0]))
    return emitter.result(*(with_positive_zeros(emitter, part) for part in parts))


@complex_rule(aten._conj.default, aten._conj_physical.default, aten.conj_physical.default)
def _conj(call: Call) -> Complex:
    real, imag = operand(call.emitter, call.args[0])
    return call.emitter.result(real, negative(call.emitter, imag))


@complex_rule(aten.reciprocal.default)
def _reciprocal(call: Call) -> Complex:
    return call.emitter.result(
        *quotient(call.emitter, (1.0, None), operand(call.emitter, call.args[0]))
    )


@complex_rule(aten.eq.Tensor, aten.eq.Scalar)
def _eq(call: Call) -> Node:
    return _compared(call, aten.eq, aten.logical_and.default)


@complex_rule(aten.ne.Tensor, aten.ne.Scalar)
def _ne(call: Call) -> Node:
    return _compared(call, aten.ne, aten.logical_or.default)


def _compared(call: Call, compare: Any, join: Any) -> Node:
    """Compare part by part; equal means both parts are, different that one is."""
    a, b = call.args
    if not isinstance(a, Complex):  # a comparison knows no order of its operands
        a, b = b, a
    other = (b, 0.0) if isinstance(b, Node) else (b.real, b.imag)
    results = [
        call.emitter.call(compare.Tensor if isinstance(its, Node) else compare.Scalar, mine, its)
        for mine, its in zip((a.real, a.imag), other, strict=True)
    ]
    return call.emitter.call(join, *results)
