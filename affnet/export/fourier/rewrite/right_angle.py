"""A filter by transforms of half the length, at frequencies a quarter of a bin above the bins.

    X[k] = sum over u of x[u] exp(-2 pi i u (k + 1/4) / n)
    y[v] = 1/n sum over k of exp(2 pi i v (k + 1/4) / n) X[k] H[k]

gives real y plus i times what comes n later: the real part is the filter's result where n numbers
go in, the first n are asked for and none comes at 2 n (a right-angle convolution: Crandall and
Fagin 1994).  Bins of real signals need 2 n for that.  All n frequencies differ, none is a pair's
other half, so that nothing is cut off or filled up between the stages.  With n = P Q,
u = Q a + b and k = k1 + P k2, and in the same way back to v = Q a + b,

    X[k1, k2] = sum over b of exp(-2 pi i b k2 / Q) Z[b, k1]
    Z[b, k1]  = sum over a of exp(-2 pi i u (k1 + 1/4) / n) x[a, b]

b, k2 and b again stand before all signals, a, k1 and a behind them: only what comes in and what
goes out is transposed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np
import torch
from torch.fx import Node

from affnet.export.fourier.costs import Speed
from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost
from affnet.export.fourier.plans.matrices import Matrix
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.filters import Filter, between
from affnet.export.fourier.rewrite.kernels import microseconds
from affnet.export.fourier.rewrite.registry import Call

aten = torch.ops.aten

#: Numbers in the matrices of all stages: 2.4 MB in float32.
_MAX_ELEMENTS = 600_000
_FIRST, _MAX_REST = range(8, 129, 8), 256


@dataclass(frozen=True)
class Stages:
    """The factors P = ``first`` and Q = ``rest``, and which blocks a of Q hold what is read."""

    first: int
    rest: int
    blocks_in: int
    blocks_out: tuple[int, int]

    @property
    def length(self) -> int:
        """N."""
        return self.first * self.rest

    @property
    def blocks_given(self) -> int:
        """How many blocks of results are made."""
        return self.blocks_out[1] - self.blocks_out[0]

    @property
    def elements(self) -> int:
        """Numbers in the matrices."""
        return 2 * self.length * (self.blocks_in + self.blocks_given) + 4 * self.rest**2

    def cost(self, channels: int, rows: int) -> Cost:
        """Return what the filter costs for ``rows`` signals of each of ``channels``."""
        total = rows * channels
        outer = 2 * self.length * (self.blocks_in + self.blocks_given)
        inner = 8 * self.length * self.rest
        given = 3 * self.rest * (self.blocks_in + self.blocks_given)
        numbers = total * (given + 30 * self.length) + self.elements + 2 * channels * self.length
        return Cost(total * (outer + inner), 4 * self.rest + 4, 4 * numbers, 30)


def best_stages(found: Filter, speed: Speed) -> tuple[float, Stages | None]:
    """Return what a filter is predicted to take, in microseconds, and how; None where it cannot."""
    begin, end = (each - found.given[0] - found.lags[0] for each in found.wanted)
    taken = found.given[1] - found.given[0]
    if begin < 0:
        return inf, None
    least, best = inf, None
    for first in _FIRST:
        rest = -(-max(taken, end) // first)
        stages = Stages(first, rest, -(-taken // rest), (begin // rest, -(-end // rest)))
        if rest > _MAX_REST or stages.elements > _MAX_ELEMENTS:
            continue
        cost = microseconds(stages.cost(len(found.taps), found.rows), speed)
        if cost < least:
            least, best = cost, stages
    return least, best


def filtered(emitter: Emitter, found: Filter, stages: Stages, call: Call) -> Node:
    """Return the results that are read, of the shape asked for but for their number."""
    return _Filtering(emitter, found, stages).result(call)


@dataclass(frozen=True)
class _Filtering:
    emitter: Emitter
    found: Filter
    stages: Stages

    def result(self, call: Call) -> Node:
        """Return the results that are read, of the shape asked for but for their number."""
        emit, found, stages = self.emitter.call, self.found, self.stages
        signals = found.rows * len(found.taps)
        begin = found.given[0]
        length = stages.blocks_in * stages.rest
        x = between(self.emitter, found.x, found.given, begin, begin + length)
        x = emit(aten.view.default, x, [signals, stages.blocks_in, stages.rest])
        x = emit(aten.permute.default, x, [2, 0, 1])
        spectrum = self._over_rest(
            self._product(x, "to_cos", lambda: self._outer(stages.blocks_in)[0]),
            self._product(x, "to_sin", lambda: -self._outer(stages.blocks_in)[1]),
            -1,
        )
        real, imag = self._over_rest(*self._answered(*spectrum, f"{call.node.name}_response"), 1)
        y = emit(
            aten.sub.Tensor,
            self._product(real, "back_cos", lambda: self._back()[0]),
            self._product(imag, "back_sin", lambda: self._back()[1]),
        )
        y = emit(aten.permute.default, y, [1, 2, 0])
        y = emit(aten.reshape.default, y, [signals, stages.blocks_given * stages.rest])
        first = found.wanted[0] - found.given[0] - found.lags[0]
        first -= stages.blocks_out[0] * stages.rest
        y = emit(aten.slice.Tensor, y, -1, first, first + found.count)
        return emit(aten.view.default, y, [*call.want.shape[:-1], found.count])

    def _outer(self, blocks: int, begin: int = 0) -> tuple[Matrix, Matrix]:
        """Return the parts of exp(2 pi i u (k1 + 1/4) / n), b x blocks a x k1."""
        stages = self.stages
        numbers = np.arange(begin * stages.rest, (begin + blocks) * stages.rest)
        quarters = 4 * np.arange(stages.first) + 1
        cos, sin = (
            values.reshape(blocks, stages.rest, stages.first).transpose(1, 0, 2)
            for values in matrices.unit_roots(numbers, quarters, 4 * stages.length)
        )
        return cos, sin

    def _back(self) -> tuple[Matrix, Matrix]:
        """Return the same with the factor 1/n, b x k1 x blocks a."""
        cos, sin = self._outer(self.stages.blocks_given, self.stages.blocks_out[0])
        return cos.swapaxes(1, 2) / self.stages.length, sin.swapaxes(1, 2) / self.stages.length

    def _product(self, x: Node, part: str, make: Callable[[], Matrix]) -> Node:
        stages = self.stages
        spans = "x".join(
            map(str, (stages.first, stages.rest, stages.blocks_in, *stages.blocks_out))
        )
        return self.emitter.call(
            aten.matmul.default, x, self._constant(f"right_angle_{spans}_{part}", make)
        )

    def _over_rest(self, real: Node, imag: Node, sign: int) -> tuple[Node, Node]:
        """Multiply by exp(sign 2 pi i b k2 / Q) from the left."""
        emit, rest = self.emitter.call, self.stages.rest
        shape = real.meta["val"].shape
        flat = [emit(aten.view.default, part, [rest, -1]) for part in (real, imag)]
        both = emit(aten.cat.default, flat)

        def times(part: str) -> Node:
            def roots() -> Matrix:
                numbers = np.arange(rest)
                cos, sin = matrices.unit_roots(numbers, numbers, rest)
                sin = sign * sin
                return np.hstack((cos, -sin) if part == "real" else (sin, cos))

            name = f"roots_{rest}{'p' if sign > 0 else 'm'}_{part}"
            product = emit(aten.matmul.default, self._constant(name, roots), both)
            return emit(aten.view.default, product, shape)

        return times("real"), times("imag")

    def _answered(self, real: Node, imag: Node, name: str) -> tuple[Node, Node]:
        """Multiply by the filter's response at the frequencies, k2 x signals x k1."""
        emit, stages, taps = self.emitter.call, self.stages, self.found.taps
        shape = real.meta["val"].shape

        def response() -> tuple[Matrix, Matrix]:
            quarters = 4 * np.arange(stages.length) + 1
            cos, sin = matrices.unit_roots(np.arange(taps.shape[1]), quarters, 4 * stages.length)
            order = len(taps), stages.rest, stages.first  # k = k1 + P k2
            re, im = (
                (taps @ values).reshape(order).transpose(1, 0, 2)[:, None] for values in (cos, -sin)
            )
            return re, im

        cos = self._constant(f"{name}_cos", lambda: response()[0])
        sin = self._constant(f"{name}_sin", lambda: response()[1])
        grid = [stages.rest, self.found.rows, len(taps), stages.first]
        real, imag = (emit(aten.view.default, part, grid) for part in (real, imag))

        def times(part: Node, values: Node) -> Node:
            return emit(aten.mul.Tensor, part, values)

        parts = (
            emit(aten.sub.Tensor, times(real, cos), times(imag, sin)),
            emit(aten.add.Tensor, times(real, sin), times(imag, cos)),
        )
        re, im = (emit(aten.view.default, part, shape) for part in parts)
        return re, im

    def _constant(self, name: str, make: Callable[[], Matrix]) -> Node:
        dtype = self.found.x.meta["val"].dtype
        return self.emitter.constant(
            f"{name}_f{torch.finfo(dtype).bits}",
            lambda: torch.from_numpy(np.ascontiguousarray(make())).to(dtype),
        )
