"""One transform over one axis: what is asked of it, and the plan by which it is computed.

`plan_kernel` is the one place that chooses.  As for AFFNet's own filters, it predicts, by the
runtime's `Speed`, what each plan costs: multiply-accumulates, bytes moved, operators started.

    Dense        one product with the roots of unity of the indices asked for
    Stages       length = first x rest, two products with twiddle factors between them (Cooley and
                 Tukey 1965); the second may be in `Stages` again
    Bluestein    a convolution of any length >= inputs + outputs - 1 (Bluestein 1970), for lengths
                 with a large prime factor

A dense product costs least for short lengths, and where few indices are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from affnet.export.fourier.costs import Speed
from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost
from affnet.export.fourier.plans.matrices import Matrix
from affnet.export.fourier.rewrite import ranges
from affnet.export.fourier.rewrite.ranges import Ranges

#: A dense matrix of more elements is never made: 32 MB in float32 for both parts.
_MAX_ELEMENTS = 2048 * 2048
#: Three stages have small products and many passes over the data: only beyond this length.
_LONG = 8192
#: Of a factor that a stage multiplies by densely.
_MAX_FACTOR = 512
#: Twiddle factors, chirps and their transform are of this length; at 2^21 they fill 50 MB.
MAX_LENGTH = 1 << 20


@dataclass(frozen=True)
class Kernel:
    """X[k] = factor x sum over h of x[h] exp(sign 2 pi i h k / length).

    ``inputs`` are the indices h at which x is not zero, ``outputs`` the k that are asked for; only
    they are held, in their order.  ``hermitian`` says that x is the half of a spectrum whose other
    half is its conjugate, so that all but its zero and Nyquist bin count twice.
    """

    length: int
    sign: int
    inputs: Ranges
    outputs: Ranges
    factor: float = 1.0
    takes_real: bool = False
    gives_real: bool = False
    hermitian: bool = False

    @property
    def parts(self) -> tuple[int, int]:
        """Real numbers that stand for one value before and after."""
        return (1 if self.takes_real else 2), (1 if self.gives_real else 2)

    @property
    def name(self) -> str:
        """A name for constants, of letters, digits and _, which equal kernels share."""
        spans = ("x".join(f"{a}t{b}" for a, b in each) for each in (self.inputs, self.outputs))
        signs = ("m" if self.sign < 0 else "p") + ("h" if self.hermitian else "")
        factor = repr(float(self.factor)).replace(".", "_").replace("-", "m").replace("+", "")
        return f"dft_{self.length}{signs}_{'_'.join(spans)}_{factor}"

    def roots(self) -> tuple[Matrix, Matrix]:
        """Return the real and imaginary part of the factors of each output (row) and input."""
        cos, sin = matrices.unit_roots(
            ranges.indices(self.outputs), ranges.indices(self.inputs), self.length
        )
        weights = self.factor * (self.weights() if self.hermitian else 1.0)
        return cos * weights, sin * weights * self.sign

    def weights(self) -> Matrix:
        """Return how often each bin counts that is held of a half spectrum."""
        numbers = ranges.indices(self.inputs)
        weights: Matrix = np.where((numbers == 0) | (2 * numbers == self.length), 1.0, 2.0)
        return weights


@dataclass(frozen=True)
class Dense:
    """One product."""


@dataclass(frozen=True)
class Stages:
    """A dense product over ``first``, twiddle factors, then ``rest`` over length / first."""

    first: int
    rest: Plan


@dataclass(frozen=True)
class Bluestein:
    """A circular convolution of ``length``, itself by two transforms in `Stages`."""

    length: int


Plan: TypeAlias = Dense | Stages | Bluestein


def plan_kernel(kernel: Kernel, rows: int, columns: int, speed: Speed) -> Plan | None:
    """Return the plan that is predicted to cost least, None where the length is beyond all.

    ``rows`` and ``columns`` count what stands before and behind the axis.
    """
    return _best(_bare(kernel), rows, columns, speed)[1]


def least_cost(kernel: Kernel, rows: int, columns: int, speed: Speed) -> float:
    """Return the microseconds that the plan of `plan_kernel` is predicted to take."""
    return _best(_bare(kernel), rows, columns, speed)[0]


def _bare(kernel: Kernel) -> Kernel:
    """Return what the cost depends on, so that equal questions are answered once."""
    return Kernel(
        kernel.length, 1, kernel.inputs, kernel.outputs, 1.0, kernel.takes_real, kernel.gives_real
    )


@lru_cache(maxsize=1024)
def _best(kernel: Kernel, rows: int, columns: int, speed: Speed) -> tuple[float, Plan | None]:
    nothing = math.inf, None
    if kernel.length > MAX_LENGTH:
        return nothing
    return min(_plans(kernel, rows, columns, speed), key=lambda plan: plan[0], default=nothing)


def _plans(kernel: Kernel, rows: int, columns: int, speed: Speed) -> Iterator[tuple[float, Plan]]:
    total = rows * columns
    inputs, outputs = ranges.count(kernel.inputs), ranges.count(kernel.outputs)
    if inputs * outputs <= _MAX_ELEMENTS:
        yield microseconds(_dense(kernel.parts, inputs, outputs, total), speed), Dense()
    if kernel.length < 16 or not kernel.inputs or not kernel.outputs:
        return
    for plan in _stages(kernel.length):
        yield microseconds(_staged(kernel, plan, total), speed), plan
    if kernel.length > _MAX_FACTOR:
        length = convolution_length(kernel)
        if length > MAX_LENGTH:
            return
        inner = Kernel(length, 1, ((0, length),), ((0, length),))
        best = min(_stages(length), key=lambda p: microseconds(_staged(inner, p, total), speed))
        cost = _staged(inner, best, total)
        yield microseconds(cost + cost, speed) * 1.3, Bluestein(length)


def convolution_length(kernel: Kernel) -> int:
    """Return the length of the convolution that Bluestein's form of ``kernel`` takes."""
    least = kernel.inputs[-1][1] + kernel.outputs[-1][1] - 1
    power = 1 << max(4, (least - 1).bit_length())
    return min(m for m in (power, power // 4 * 3, power // 8 * 5) if m >= least)


def _stages(length: int, depth: int = 3) -> Iterator[Stages]:
    """Yield the ways to factor ``length``.

    The rest of an even length is even, so that the Nyquist bin of real values is exactly real.
    """
    for first in range(2, min(_MAX_FACTOR, length // 2) + 1):
        rest = length // first
        if length % first or (length % 2 == 0 and rest % 2):
            continue
        if rest <= _MAX_FACTOR:
            yield Stages(first, Dense())
        if depth > 2 and length > _LONG and rest > 256:
            yield from (Stages(first, inner) for inner in _stages(rest, depth - 1))


def microseconds(cost: Cost, speed: Speed) -> float:
    """Return what ``cost`` takes on a runtime."""
    return (
        cost.macs / 1e6 * speed.us_per_million_macs
        + cost.products * speed.us_per_product
        + cost.bytes / 1e6 * speed.us_per_megabyte
        + cost.operators * speed.us_per_operator
    )


def _dense(parts: tuple[int, int], inputs: int, outputs: int, total: int, batches: int = 1) -> Cost:
    """Return the cost of ``total`` products of ``inputs`` with an inputs x outputs matrix.

    They are taken in ``batches`` products of matrices.
    """
    before, after = parts
    joined = 2 * before * inputs if before == 2 else 0  # both parts side by side
    numbers = total * (before * inputs * after + after * outputs + joined)
    constants = before * after * inputs * outputs
    macs = total * before * after * inputs * outputs
    return Cost(macs, after * batches, 4 * (numbers + constants), 2 * after)


def _staged(kernel: Kernel, plan: Stages, total: int) -> Cost:
    """Return the cost of ``total`` transforms in stages."""
    rest = kernel.length // plan.first
    taken, given = spans(kernel, plan.first)
    first = _dense((kernel.parts[0], 2), taken[1] - taken[0], plan.first, total * rest, total)
    twiddles = Cost(0, 0, 4 * 18 * total * kernel.length, 6)
    moved = Cost(0, 0, 4 * 4 * total * ranges.count(kernel.outputs), 4)
    inner = Kernel(rest, 1, ((0, rest),), (given,), gives_real=kernel.gives_real)
    if isinstance(plan.rest, Stages):
        second = _staged(inner, plan.rest, total * plan.first)
    else:
        second = _dense(inner.parts, rest, given[1] - given[0], total * plan.first, total)
    return first + twiddles + moved + second


def spans(kernel: Kernel, first: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the ranges of the first stage's inputs a and of the second one's outputs k2.

    With length = first x rest, h = rest a + b and k = k1 + first k2.
    """
    rest = kernel.length // first
    inputs, outputs = kernel.inputs, kernel.outputs
    return (
        (inputs[0][0] // rest, math.ceil(inputs[-1][1] / rest)),
        (outputs[0][0] // first, math.ceil(outputs[-1][1] / first)),
    )
