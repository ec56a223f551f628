"""A transform over one axis of real tensors, in the form that its plan says.

With h = rest a + b and k = k1 + first k2, the factored form over a last axis of first x rest is

    x[.., a, b] -> transposed, times the roots of `first`     y[.., b, k1]
    times exp(sign 2 pi i b k1 / length)                      z[.., b, k1]
    the roots of `rest`, times z from the left                X[.., k2, k1], which is X[.., k]

so that no transpose is left that a runtime does not fuse into a product.  Over another axis, with
``columns`` of contiguous numbers behind it, both products are from the left, and k1 and k2 change
their places at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.matrices import Matrix
from affnet.export.fourier.rewrite import ranges
from affnet.export.fourier.rewrite.embedding import picked, spread
from affnet.export.fourier.rewrite.emitter import Emitter, wrong_length
from affnet.export.fourier.rewrite.kernels import (
    MAX_LENGTH,
    Bluestein,
    Dense,
    Kernel,
    Plan,
    Stages,
    convolution_length,
    plan_kernel,
    spans,
)
from affnet.export.fourier.rewrite.large_products import Parts, each, in_large_products

aten = torch.ops.aten

# Numbers in the matrices of a first stage with the twiddle factors in them: 2 MB in float32.
_MAX_FOLDED = 600_000

# From the left, a product has the numbers behind the axis for its columns: fewer fill no vector.
_MIN_COLUMNS = 8


def transform(emitter: Emitter, parts: Parts, axis: int, kernel: Kernel) -> Parts:
    """Return the transform over ``axis``, of the indices that ``kernel`` takes to those it gives.

    Raises:
        UsageError: the length is beyond `MAX_LENGTH`.
    """
    shape = parts[0].meta["val"].shape
    before, behind = shape[:axis], shape[axis + 1 :]
    columns = prod(length for length in behind if isinstance(length, int))
    rows = prod(length for length in before if isinstance(length, int))
    plan = plan_kernel(kernel, rows, columns, emitter.speed)
    if plan is None:
        why = "has a large prime factor, and" if kernel.length <= MAX_LENGTH else "is long, and"
        raise wrong_length(
            emitter.current(),
            f"a transform of length {kernel.length} {why} it needs constants of more than 100 MB",
            "choose a length of small prime factors, such as "
            f"{1 << (kernel.length - 1).bit_length()}, or cut it into frames, as torch.stft does."
            if kernel.length <= MAX_LENGTH
            else f"cut it into frames of at most {MAX_LENGTH}, as torch.stft does.",
        )
    fixed = all(isinstance(length, int) for length in behind)
    last = axis == len(shape) - 1
    from_left = emitter.left_products and fixed and columns >= _MIN_COLUMNS
    if not last and not from_left:
        moved = each(parts, lambda part: emitter.call(aten.transpose.int, part, axis, -1))
        moved = transform(emitter, moved, len(shape) - 1, kernel)
        return each(moved, lambda part: emitter.call(aten.transpose.int, part, axis, -1))
    if isinstance(plan, Dense) and (last or axis == len(shape) - 2):
        return _Applied(emitter, last).dense(parts, kernel)
    count = ranges.count(kernel.outputs)
    flat = [-1, shape[axis]] if last else [-1, shape[axis], columns]
    taken = each(parts, lambda part: emitter.call(aten.view.default, part, flat))
    given = _Applied(emitter, last).by(plan, taken, kernel)
    want = parts[0].meta["val"]
    sizes = emitter.sizes(want)
    sizes[axis] = count
    return each(given, lambda part: emitter.call(aten.view.default, part, sizes))


def _cosines(cos: Matrix, _: Matrix) -> Matrix:
    return cos


def _sines(_: Matrix, sin: Matrix) -> Matrix:
    return sin


@dataclass(frozen=True)
class _Applied:
    """Transforms over the last axis of rows x n, or the one before of rows x n x columns."""

    emitter: Emitter
    last: bool

    def by(self, plan: Plan, parts: Parts, kernel: Kernel) -> Parts:
        """Apply ``plan``."""
        if isinstance(plan, Dense):
            return self.dense(parts, kernel)
        if isinstance(plan, Bluestein):
            return self.convolved(parts, kernel)
        return self.staged(plan, parts, kernel)

    def dense(self, parts: Parts, kernel: Kernel) -> Parts:
        """Multiply by the matrix of the roots."""
        real, imag = parts
        if imag is None:
            cos = self._times(real, kernel, "cos", _cosines)
            if kernel.gives_real:
                return cos, None
            return cos, self._times(real, kernel, "sin", _sines)
        inputs, outputs = ranges.count(kernel.inputs), ranges.count(kernel.outputs)
        if 2 * inputs > 3 * outputs:  # to add products moves less than to join parts
            return self._added(real, imag, kernel)
        both = self.emitter.call(aten.cat.default, [real, imag], -1 if self.last else -2)
        to_real = self._times(both, kernel, "to_real", lambda c, s: np.hstack((c, -s)))
        if kernel.gives_real:
            return to_real, None
        return to_real, self._times(both, kernel, "to_imag", lambda c, s: np.hstack((s, c)))

    def _added(self, real: Node, imag: Node, kernel: Kernel) -> Parts:
        cos = partial(self._times, kernel=kernel, label="cos", make=_cosines)
        sin = partial(self._times, kernel=kernel, label="sin", make=_sines)
        to_real = self.emitter.call(aten.sub.Tensor, cos(real), sin(imag))
        if kernel.gives_real:
            return to_real, None
        return to_real, self.emitter.call(aten.add.Tensor, sin(real), cos(imag))

    def _times(
        self, x: Node, kernel: Kernel, label: str, make: Callable[[Matrix, Matrix], Matrix]
    ) -> Node:
        """Multiply by the matrix, outputs x inputs, that ``make`` makes of the roots."""
        matrix = self._constant(kernel.name, label, x, lambda: make(*kernel.roots()))
        if self.last:
            return self.emitter.call(aten.linear.default, x, matrix)
        if self.emitter.left_products:
            return self.emitter.call(aten.matmul.default, matrix, x)
        turned = self.emitter.call(aten.transpose.int, x, -1, -2)
        product = self.emitter.call(aten.linear.default, turned, matrix)
        return self.emitter.call(aten.transpose.int, product, -1, -2)

    def staged(self, plan: Stages, parts: Parts, kernel: Kernel) -> Parts:
        """Apply both stages; see the module's docstring."""
        first, rest = plan.first, kernel.length // plan.first
        (a0, a1), (c0, c1) = spans(kernel, first)
        is_folded = self._folds(plan, kernel)
        if kernel.hermitian and not is_folded:
            parts = each(parts, lambda part: self._weighted(part, kernel))
        parts = each(
            parts,
            lambda part: spread(self.emitter, part, 1, kernel.inputs, a0 * rest, a1 * rest),
        )
        to_first = replace(
            kernel, length=first, inputs=((a0, a1),), outputs=((0, first),),
            gives_real=False, hermitian=False,
        )  # fmt: skip
        to_rest = Kernel(rest, kernel.sign, ((0, rest),), ((c0, c1),), gives_real=kernel.gives_real)
        if is_folded:
            over_rest = replace(self, last=False).dense
            found = in_large_products(
                self.emitter, parts, kernel, to_first, to_rest, self._constant, over_rest
            )
        else:
            stage = self._over_last if self.last else self._over_other
            found = stage(plan, parts, to_first, to_rest)
        return each(
            found,
            lambda part: picked(self.emitter, part, 1, kernel.outputs, c0 * first, c1 * first),
        )

    def _weighted(self, x: Node, kernel: Kernel) -> Node:
        shape = (-1,) if self.last else (-1, 1)
        weights = self._constant(kernel.name, "weights", x, lambda: kernel.weights().reshape(shape))
        return self.emitter.call(aten.mul.Tensor, x, weights)

    def _over_last(self, plan: Stages, parts: Parts, to_first: Kernel, to_rest: Kernel) -> Parts:
        count, rest = ranges.count(to_first.inputs), to_rest.length
        call = self.emitter.call
        parts = each(parts, lambda part: call(aten.view.default, part, [-1, count, rest]))
        parts = each(parts, lambda part: call(aten.transpose.int, part, -1, -2))
        found = self.dense(parts, to_first)
        found = self._twiddled(found, to_first, to_rest, (rest, plan.first))
        found = replace(self, last=False).by(plan.rest, found, to_rest)
        flat = ranges.count(to_rest.outputs) * plan.first
        return each(found, lambda part: call(aten.view.default, part, [-1, flat]))

    def _over_other(self, plan: Stages, parts: Parts, to_first: Kernel, to_rest: Kernel) -> Parts:
        count, rest, first = ranges.count(to_first.inputs), to_rest.length, plan.first
        call, columns = self.emitter.call, parts[0].meta["val"].shape[-1]
        flat = [-1, count, rest * columns]
        parts = each(parts, lambda part: call(aten.view.default, part, flat))
        found = self.dense(parts, to_first)
        grid = [-1, first, rest, columns]
        found = each(found, lambda part: call(aten.view.default, part, grid))
        found = self._twiddled(found, to_first, to_rest, (first, rest, 1))
        found = each(found, lambda part: call(aten.view.default, part, [-1, rest, columns]))
        found = self.by(plan.rest, found, to_rest)
        given = ranges.count(to_rest.outputs)

        def ordered(part: Node) -> Node:
            part = call(aten.view.default, part, [-1, first, given, columns])
            part = call(aten.transpose.int, part, 1, 2)
            return call(aten.reshape.default, part, [-1, given * first, columns])

        return each(found, ordered)

    def _folds(self, plan: Stages, kernel: Kernel) -> bool:
        """Return whether the twiddle factors go into the first stage's constants."""
        elements = 2 * (ranges.count(kernel.inputs) + kernel.length // plan.first) * plan.first
        is_small = elements <= _MAX_FOLDED and isinstance(plan.rest, Dense)
        return self.last and self.emitter.left_products and is_small

    def _twiddled(
        self, parts: Parts, to_first: Kernel, to_rest: Kernel, shape: tuple[int, ...]
    ) -> Parts:
        """Multiply by exp(sign 2 pi i b k1 / length), b and k1 in the order of ``shape``."""
        first, rest = to_first.length, to_rest.length

        def roots() -> tuple[Matrix, Matrix]:
            order = (rest, first) if shape == (rest, first) else (first, rest)
            cos, sin = matrices.unit_roots(np.arange(order[0]), np.arange(order[1]), first * rest)
            return cos.reshape(shape), to_first.sign * sin.reshape(shape)

        name = f"dft_twiddles_{'x'.join(map(str, shape))}_{'p' if to_first.sign > 0 else 'm'}"
        return self._multiplied(parts, name, roots)

    def _multiplied(
        self, parts: Parts, name: str, roots: Callable[[], tuple[Matrix, Matrix]]
    ) -> Parts:
        """Multiply by complex constants, element by element."""
        real, imag = parts
        call = self.emitter.call
        cos = self._constant(name, "cos", real, lambda: roots()[0])
        sin = self._constant(name, "sin", real, lambda: roots()[1])
        real_cos = call(aten.mul.Tensor, real, cos)
        real_sin = call(aten.mul.Tensor, real, sin)
        if imag is None:
            return real_cos, real_sin
        return (
            call(aten.sub.Tensor, real_cos, call(aten.mul.Tensor, imag, sin)),
            call(aten.add.Tensor, real_sin, call(aten.mul.Tensor, imag, cos)),
        )

    def convolved(self, parts: Parts, kernel: Kernel) -> Parts:
        """Apply Bluestein's form, in which h k = (h^2 + k^2 - (k - h)^2) / 2.

        X[k] = c[k] sum over h of (x[h] c[h]) conj(c[k - h]), where c[j] = exp(sign pi i j^2 / n).
        """
        m, n = convolution_length(kernel), kernel.length

        def chirp(numbers: Any) -> tuple[Matrix, Matrix]:
            cos, sin = matrices.unit_roots(np.ones(1, np.int64), numbers**2 % (2 * n), 2 * n)
            return cos[0], kernel.sign * sin[0]

        def shaped(values: tuple[Matrix, Matrix], factor: Any = 1.0) -> tuple[Matrix, Matrix]:
            shape = (-1,) if self.last else (-1, 1)
            return (values[0] * factor).reshape(shape), (values[1] * factor).reshape(shape)

        def before() -> tuple[Matrix, Matrix]:
            weights = kernel.weights() if kernel.hermitian else 1.0
            return shaped(chirp(ranges.indices(kernel.inputs)), weights * kernel.factor)

        def between() -> tuple[Matrix, Matrix]:
            numbers = np.arange(m)
            cos, sin = chirp(np.where(numbers < kernel.outputs[-1][1], numbers, m - numbers))
            spectrum = np.fft.fft(cos - 1j * sin) / np.sqrt(m)
            return shaped((spectrum.real, spectrum.imag))

        inputs, outputs = kernel.inputs, kernel.outputs
        forward = Kernel(m, -1, inputs, ((0, m),), m**-0.5)
        backward = Kernel(m, 1, ((0, m),), outputs)
        found = self._multiplied(parts, f"{kernel.name}_chirp_in", before)
        found = self._planned(found, forward)
        found = self._multiplied(found, f"{kernel.name}_chirp_spectrum", between)
        found = self._planned(found, backward)
        real, imag = self._multiplied(
            found, f"{kernel.name}_chirp_out", lambda: shaped(chirp(ranges.indices(outputs)))
        )
        return real, None if kernel.gives_real else imag

    def _planned(self, parts: Parts, kernel: Kernel) -> Parts:
        shape = parts[0].meta["val"].shape
        rows = shape[0] if isinstance(shape[0], int) else 1
        columns = 1 if self.last else shape[-1]
        plan = plan_kernel(kernel, rows, columns, self.emitter.speed)
        assert plan is not None  # a multiple of a large power of two
        return self.by(plan, parts, kernel)

    def _constant(self, name: str, part: str, like: Node, make: Callable[[], Matrix]) -> Node:
        """Return the node of a ``part`` of the constants ``name``, in the type of ``like``.

        + 0.0 makes +0 of -0, so that the sums of the zero and the Nyquist bin of real values are +0
        as PyTorch's are: their angle is 0 or pi, not -pi.
        """
        dtype = like.meta["val"].dtype
        return self.emitter.constant(
            f"{name}_f{torch.finfo(dtype).bits}_{part}",
            lambda: torch.from_numpy(np.ascontiguousarray(make() + 0.0)).to(dtype),
        )
