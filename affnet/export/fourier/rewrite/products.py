"""Matrix products, contractions and convolutions: bilinear, so four real ones make one."""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.fx import Node

from affnet.export.fourier.rewrite.arithmetic import (
    Operand,
    minus,
    operand,
    plus,
    product,
)
from affnet.export.fourier.rewrite.contraction import Step, contraction_order
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.registry import Call, complex_rule, real_rule
from affnet.export.fourier.rewrite.values import Complex, Part

aten = torch.ops.aten


def bilinear(
    emitter: Emitter, a: Operand, b: Operand, apply: Callable[[Part, Part], Node]
) -> Operand:
    """Return (f(a_r, b_r) - f(a_i, b_i), f(a_r, b_i) + f(a_i, b_r)) for a real bilinear f."""

    def term(x: Part, y: Part) -> Part:
        return None if x is None or y is None else apply(x, y)

    real = minus(emitter, term(a[0], b[0]), term(a[1], b[1]))
    imag = plus(emitter, term(a[0], b[1]), term(a[1], b[0]))
    return real, imag


@complex_rule(
    aten.mm.default, aten.bmm.default, aten.matmul.default, aten.mv.default, aten.dot.default
)
def _matmul(call: Call) -> Complex:
    return call.emitter.result(
        *_multiplied(call.emitter, call.node.target, call.args[0], call.args[1])
    )


def _multiplied(emitter: Emitter, operator: Any, a: Any, b: Any) -> Operand:
    return bilinear(
        emitter,
        operand(emitter, a),
        operand(emitter, b),
        lambda x, y: emitter.call(operator, x, y),
    )


@complex_rule(aten.vdot.default)
def _vdot(call: Call) -> Complex:
    """The dot product of conj(a) and b."""
    real, imag = operand(call.emitter, call.args[0])
    a = (real, None if imag is None else call.emitter.call(aten.neg.default, imag))
    b = operand(call.emitter, call.args[1])
    return call.emitter.result(
        *bilinear(call.emitter, a, b, lambda x, y: call.emitter.call(aten.dot.default, x, y))
    )


@complex_rule(aten.addmm.default, aten.baddbmm.default)
def _addmm(call: Call) -> Complex:
    """Beta * c + alpha * a b."""
    operator = aten.mm.default if call.node.target is aten.addmm.default else aten.bmm.default
    c = product(
        call.emitter,
        operand(call.emitter, call.args[0]),
        operand(call.emitter, call.kwargs.get("beta", 1)),
    )
    ab = _multiplied(call.emitter, operator, call.args[1], call.args[2])
    ab = product(call.emitter, ab, operand(call.emitter, call.kwargs.get("alpha", 1)))
    return call.emitter.result(plus(call.emitter, c[0], ab[0]), plus(call.emitter, c[1], ab[1]))


@complex_rule(aten.einsum.default)
def _einsum(call: Call) -> Complex:
    operands = [operand(call.emitter, value) for value in call.args[1]]
    equation = _spelled_out(call)
    if repeated := _repeated(equation):
        operands = [
            _diagonals(call.emitter, term, parts)
            for term, parts in zip(_terms(equation), operands, strict=True)
        ]
        equation = repeated

    def contract(equation: str, *parts: Part) -> Node:
        return call.emitter.call(aten.einsum.default, equation, list(parts))

    if len(operands) == 1:
        real, imag = operands[0]
        return call.emitter.result(
            contract(equation, real), None if imag is None else contract(equation, imag)
        )
    for step in _steps(call, equation):
        right, left = operands.pop(step.right), operands.pop(step.left)
        operands.append(bilinear(call.emitter, left, right, partial(contract, step.equation)))
    return call.emitter.result(*operands[0])


def _steps(call: Call, equation: str) -> list[Step]:
    """Return the contractions of two operands each that make up one of any number."""
    if len(call.args[1]) == 2:
        return [Step(0, 1, equation)]
    terms, arrow, output = equation.partition("->")
    tensors = [node.meta["val"] for node in call.node.args[1]]  # type: ignore[union-attr]
    lengths: dict[str, Any] = {}
    for term, tensor in zip(terms.split(","), tensors, strict=True):
        lengths.update(zip(term, tensor.shape, strict=False))
    spelled_out = arrow and "..." not in equation
    if not spelled_out or not all(isinstance(length, int) for length in lengths.values()):
        call.emitter.refuse(
            "a contraction of more than two tensors needs a letter and a fixed length for each "
            "axis, and an output; write them, or contract two tensors at a time"
        )
    return contraction_order(terms.split(","), output, lengths)


@real_rule(aten.einsum.default)
def _real_einsum(call: Call) -> Any:
    equation, operands = _spelled_out(call), call.args[1]
    if repeated := _repeated(equation):
        operands = [
            _diagonals(call.emitter, term, (value, None))[0]
            for term, value in zip(_terms(equation), operands, strict=True)
        ]
        equation = repeated
    elif "..." not in call.args[0]:
        return NotImplemented
    return call.emitter.call(aten.einsum.default, equation, operands, *call.args[2:])


def _terms(equation: str) -> list[str]:
    return equation.partition("->")[0].split(",")


def _repeated(equation: str) -> str:
    """Return the equation with each letter once a term, "" if it is so: ONNX knows no other."""
    terms = _terms(equation)
    if "..." in equation or all(len(set(term)) == len(term) for term in terms):
        return ""
    once = ",".join("".join(dict.fromkeys(term)) for term in terms)
    _, arrow, output = equation.partition("->")
    if not arrow:  # torch sums over letters that it sees twice, and orders the others
        letters = "".join(terms)
        output = "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    return f"{once}->{output}"


def _diagonals(emitter: Emitter, term: str, parts: Operand) -> Operand:
    """Take the diagonal over axes of one letter, and put it where the letter stands first."""
    letters = list(term)
    real, imag = parts
    for letter in dict.fromkeys(term):
        while letters.count(letter) > 1:
            first = letters.index(letter)
            second = letters.index(letter, first + 1)
            del letters[second]
            order = [*range(first), len(letters) - 1, *range(first, len(letters) - 1)]

            def taken(
                part: Part, first: int = first, second: int = second, order: list[int] = order
            ) -> Part:
                if not isinstance(part, Node):
                    return part
                diagonal = emitter.call(aten.diagonal.default, part, 0, first, second)
                return emitter.call(aten.permute.default, diagonal, order)

            real, imag = taken(real), taken(imag)
    return real, imag


def _spelled_out(call: Call) -> str:
    """Return the equation with letters in the place of each ellipsis, which Core ML cannot take.

    An ellipsis stands for the axes that have no letter; where operands have different numbers of
    them the last ones meet.  Where one of them is to be broadcast, the ellipsis must remain.
    """
    equation: str = call.args[0].replace(" ", "")
    if "..." not in equation:
        return equation
    terms, arrow, output = equation.partition("->")
    if not arrow:
        return equation
    fresh = [letter for letter in string.ascii_letters if letter not in equation]
    shapes = [node.meta["val"].shape for node in call.node.all_input_nodes]
    if len(shapes) != len(call.args[1]):
        return equation  # an operand is used twice
    spelled: list[str] = []
    lengths: dict[str, Any] = {}
    for term, shape in zip(terms.split(","), shapes, strict=True):
        count = len(shape) - len(term.replace("...", ""))
        start = term.find("...")
        letters = fresh[-count:] if count else []
        for letter, length in zip(letters, shape[start:], strict=False):
            if str(lengths.setdefault(letter, length)) != str(length):
                return equation
        spelled.append(term.replace("...", "".join(letters)))
    common = "".join(letter for letter in fresh if letter in lengths)
    return f"{','.join(spelled)}->{output.replace('...', common)}"


@complex_rule(aten.linear.default)
def _linear(call: Call) -> Complex:
    bias = call.argument(2, "bias")
    result = _multiplied(call.emitter, aten.linear.default, call.args[0], call.args[1])
    return _with_bias(call.emitter, result, None if bias is None else operand(call.emitter, bias))


@complex_rule(aten.convolution.default)
def _convolution(call: Call) -> Complex:
    x, weight, bias, *settings = call.args

    def convolve(a: Part, b: Part) -> Node:
        return call.emitter.call(aten.convolution.default, a, b, None, *settings)

    result = bilinear(
        call.emitter, operand(call.emitter, x), operand(call.emitter, weight), convolve
    )
    if bias is None:
        return call.emitter.result(*result)
    shape = [-1] + [1] * (call.want.dim() - 2)  # the channels, then the spatial axes
    parts = [
        None if part is None else call.emitter.call(aten.view.default, part, shape)
        for part in operand(call.emitter, bias)
    ]
    return _with_bias(call.emitter, result, (parts[0], parts[1]))


def _with_bias(emitter: Emitter, result: Operand, bias: Operand | None) -> Complex:
    if bias is None:
        return emitter.result(*result)
    return emitter.result(plus(emitter, result[0], bias[0]), plus(emitter, result[1], bias[1]))
