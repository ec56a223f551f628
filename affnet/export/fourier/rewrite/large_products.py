"""A transform in two stages as few large products, with the twiddle factors in the first one's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch.fx import Node

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.matrices import Matrix
from affnet.export.fourier.rewrite import ranges
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.kernels import Kernel

aten = torch.ops.aten

#: A real and an imaginary part; an imaginary part that is zero or not asked for is None.
Parts: TypeAlias = tuple[Node, Node | None]


def each(parts: Parts, change: Callable[[Node], Node]) -> Parts:
    """Change both parts."""
    real, imag = parts
    return change(real), None if imag is None else change(imag)


def in_large_products(
    emitter: Emitter,
    parts: Parts,
    kernel: Kernel,
    to_first: Kernel,
    to_rest: Kernel,
    constant: Callable[[str, str, Node, Callable[[], Matrix]], Node],
    over_rest: Callable[[Parts, Kernel], Parts],
) -> Parts:
    """Multiply by a matrix of the first stage for each b, and then all by the second's.

    With h = rest a + b and k = k1 + first k2, that of b is exp(sign 2 pi i h k1 / length), a x k1.
    Then b is the first axis, and the second stage one product with as many columns as there are
    numbers: no pass over the data is for the twiddle factors, and no product is small.
    """
    call, ((a0, a1),) = emitter.call, to_first.inputs
    first, rest, given = to_first.length, to_rest.length, ranges.count(to_rest.outputs)

    def roots() -> tuple[Matrix, Matrix]:
        numbers = np.arange(a0 * rest, a1 * rest)
        cos, sin = matrices.unit_roots(numbers, np.arange(first), kernel.length)
        weights = np.full((len(numbers), 1), kernel.factor)
        if kernel.hermitian:
            weights[(numbers != 0) & (2 * numbers != kernel.length)] *= 2

        def by_b(values: Matrix) -> Matrix:
            weighted: Matrix = (values * weights).reshape(a1 - a0, rest, first)
            return weighted.transpose(1, 0, 2)

        return by_b(cos), by_b(kernel.sign * sin)

    def times(x: Node, label: str, matrix: Callable[[Matrix, Matrix], Matrix]) -> Node:
        values = constant(f"{kernel.name}_by_{first}", label, x, lambda: matrix(*roots()))
        return call(aten.matmul.default, x, values)

    def back(part: Node) -> Node:
        part = call(aten.view.default, part, [given, -1, first])
        part = call(aten.permute.default, part, [1, 0, 2])
        return call(aten.view.default, part, [-1, given * first])

    real, imag = each(parts, lambda part: call(aten.view.default, part, [-1, a1 - a0, rest]))
    x = real if imag is None else call(aten.cat.default, [real, imag], 1)
    x = call(aten.permute.default, x, [2, 0, 1])
    if imag is None:
        found = times(x, "cos", lambda cos, _: cos), times(x, "sin", lambda _, sin: sin)
    else:  # one product of both parts: nothing is added up behind
        found = (
            times(x, "to_real", lambda cos, sin: np.concatenate((cos, -sin), axis=1)),
            times(x, "to_imag", lambda cos, sin: np.concatenate((sin, cos), axis=1)),
        )
    flat = each(found, lambda part: call(aten.view.default, part, [rest, -1]))
    return each(over_rest(flat, to_rest), back)
