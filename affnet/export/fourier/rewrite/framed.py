"""The transform of overlapping frames of a signal, frames last, without making the frames.

With size = first x rest, h = rest a + b and k = k1 + first k2, with rest = middle x last a divisor
of the step, and with b = last b1 + b2 and k2 = ka + middle kc,

    x[.., L] -> [.., (b2, b1), blocks]                 the signal in blocks of rest, transposed
    a strided convolution over blocks for each b       y[.., b2, (b1, ri, k1), frame]
    for each b2 the roots of `middle`, times y         z[.., (b2, ri), ka, k1, frame]
    the roots of `last`, times z from the left         X[.., (ri, kc), ka, k1, frame]

The convolution picks the frames, and its kernels hold window, first stage and twiddle factors; so
do the matrices of the second stage, which is left out where middle is 1.
X[size - k] of real numbers is the conjugate of X[k]: it is enough to have k1 up to first / 2 for
all k2, and to pick the bins by their rows.  Where step and size share no such divisor, the frames
are made, and put one after the other they are a signal whose step is their size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.fx import Node

from affnet.export.fourier.costs import Speed
from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost
from affnet.export.fourier.plans.matrices import Matrix
from affnet.export.fourier.rewrite import ranges
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.kernels import Kernel, least_cost, microseconds
from affnet.export.fourier.rewrite.known_values import known_value
from affnet.export.fourier.rewrite.signal_frames import Frames

aten = torch.ops.aten

Indices = NDArray[np.int64]

#: The matrices of a convolution hold no more numbers: 8 MB in float32.
_MAX_ELEMENTS = 1 << 21
#: What a stage of products with so few rows costs in ONNX Runtime, in numbers read or written.
_PASSES_OF_MIDDLE = 8


@dataclass(frozen=True, order=True)
class Split:
    """The lengths of the stages after the first; both are 1 where it is the only one."""

    middle: int
    last: int

    @property
    def rest(self) -> int:
        """What is left of a transform's length to them."""
        return self.middle * self.last


def transform_frames(emitter: Emitter, x: Node, kernel: Kernel) -> tuple[Node, Node] | None:
    """Return the transform of ``x`` over its last axis, None if it is better made of the frames.

    It is where ``x`` is no windowed frames of a signal, where nothing divides both size and step,
    and on runtimes that are slow at convolutions in many groups.
    """
    frames = frames_of(emitter, x)
    if frames is None or frames.size != kernel.length:
        return None
    speed = emitter.speed
    shape = frames.signal.meta["val"].shape
    if not isinstance(shape[-1], int):  # a convolution takes any length in every format
        is_small = 2 * frames.size * ranges.count(kernel.outputs) <= _MAX_ELEMENTS
        return _Framed(emitter, frames, kernel, Split(1, 1)).result() if is_small else None
    if not emitter.left_products or not all(isinstance(length, int) for length in shape):
        return None
    batch, count = prod(shape[:-1]), frames.count(shape[-1])
    candidates = [
        (microseconds(_cost(kernel, split, batch, count), speed) + made, step, split)
        for step, made in ((frames.step, 0.0), (frames.size, _making(kernel, batch * count, speed)))
        for split in _splits(frames.size, step)
    ]
    best, step, split = min(candidates)
    if best > _by_frames(kernel, batch * count, speed):
        return None
    if step != frames.step:
        flat = emitter.call(aten.view.default, frames.made, [*shape[:-1], count * frames.size])
        frames = replace(frames, signal=flat, step=step)
    return _Framed(emitter, frames, kernel, split).result()


def frames_of(emitter: Emitter, x: Node) -> Frames | None:
    """Return the frames that ``x`` is, with the window that they are multiplied by."""
    if x in emitter.frames:
        return emitter.frames[x]
    if x.target is not aten.mul.Tensor:
        return None
    for frames, window in (x.args, x.args[::-1]):
        if isinstance(frames, Node) and (found := frames_of(emitter, frames)) is not None:
            value = known_value(emitter, window)
            dtype = x.meta["val"].dtype
            if value is None or value.numel() != found.size or value.shape[-1] != found.size:
                return None
            if found.signal.meta["val"].dtype != dtype or value.dtype != dtype:
                return None
            flat = value.detach().double().reshape(-1).numpy()
            return found.times(flat)
    return None


def _splits(size: int, step: int) -> Iterator[Split]:
    """Yield the ways to factor ``size``.

    The last stage's length is even, so that the Nyquist bin is exactly real.
    """
    shared = gcd(size, step)
    for rest in range(1, min(shared, size // 2) + 1):
        if shared % rest or size * 2 * (size // rest // 2 + 1) > _MAX_ELEMENTS:
            continue
        if rest == 1 or rest % 2 == 0:
            yield Split(1, rest)
        for last in range(2, rest // 2 + 1, 2):
            if rest % last == 0:
                yield Split(rest // last, last)


def _cost(kernel: Kernel, split: Split, batch: int, count: int) -> Cost:
    size, bins, rest = kernel.length, ranges.count(kernel.outputs), split.rest
    if rest == 1:
        numbers = batch * count * (2 * size + 4 * bins) + 2 * bins * size
        return Cost(2 * batch * count * size * bins, batch, 4 * numbers, 4)
    half, rows = size // rest // 2 + 1, len(_places(kernel, split)[0]) * split.middle
    inner, outer = batch * count * 2 * rest * half, batch * count * 2 * rows * half
    numbers = 2 * (batch * count * (size + 2 * bins) + inner + outer) + 2 * half * size
    macs = batch * count * 2 * half * size + outer * 2 * split.last
    products, operators = batch * (rest + 1), 8
    if split.middle > 1:
        numbers += _PASSES_OF_MIDDLE * inner
        macs += inner * 2 * split.middle
        products, operators = products + batch * split.last, operators + 2
    return Cost(macs, products, 4 * numbers, operators)


def _making(kernel: Kernel, total: int, speed: Speed) -> float:
    """Return the microseconds of making ``total`` frames."""
    return microseconds(Cost(0, 0, 4 * 3 * total * kernel.length, 5), speed)


def _by_frames(kernel: Kernel, total: int, speed: Speed) -> float:
    """Return those of making frames, of the window, the transforms and putting frames last."""
    passes = 2 * total * (kernel.length + 2 * ranges.count(kernel.outputs))
    by_plan = least_cost(kernel, total, 1, speed)
    return by_plan + _making(kernel, total, speed) + microseconds(Cost(0, 0, 4 * passes, 3), speed)


def _places(kernel: Kernel, split: Split) -> tuple[Indices, Indices]:
    """Return the kc to compute, and of each bin k asked for its place in (kc, ka, k1).

    Bins with k1 > first / 2 are those of size - k.
    """
    first = kernel.length // split.rest
    bins = _held(ranges.indices(kernel.outputs), first, kernel.length)
    k2 = bins // first
    rows, place = np.unique(k2 // split.middle, return_inverse=True)
    return rows, (place * split.middle + k2 % split.middle) * (first // 2 + 1) + bins % first


def _held(bins: Indices, first: int, size: int) -> Indices:
    """Return the bins that are computed for ``bins``: themselves or their conjugates."""
    return np.where(bins % first > first // 2, size - bins, bins)


def _of_complex(cos: Matrix, sin: Matrix) -> tuple[Matrix, Matrix]:
    """Return what gives the real and the imaginary part, each with a last axis of both parts."""
    return np.stack((cos, -sin), axis=-1), np.stack((sin, cos), axis=-1)


@dataclass(frozen=True)
class _Framed:
    """One transform of ``frames`` with later stages of ``split``."""

    emitter: Emitter
    frames: Frames
    kernel: Kernel
    split: Split

    def result(self) -> tuple[Node, Node]:
        """Return both parts, [.., frames, bins], as transposes of tensors with the frames last."""
        call, frames, rest = self.emitter.call, self.frames, self.split.rest
        *before, length = self.emitter.sizes(frames.signal.meta["val"])
        count: Any = None
        x, blocks = frames.signal, length
        if isinstance(length, int):
            count = frames.count(length)
            blocks = (frames.size + (count - 1) * frames.step) // rest
            if blocks * rest < length:
                x = call(aten.slice.Tensor, x, -1, 0, blocks * rest)
        x = self._in_blocks(x, blocks)
        weight = self._constant("kernels", self._kernels)
        stride = [frames.step // rest]
        x = call(aten.conv1d.default, x, weight, None, stride, [0], [1], rest)
        if count is None:  # of the signal's open length
            count = call(aten.sym_size.int, x, 2)
        real, imag = self._direct(x) if rest == 1 else self._later_stages(x, count)
        bins = ranges.count(self.kernel.outputs)
        sizes = [*before, bins, count]

        def turned(part: Node) -> Node:
            part = call(aten.view.default, part, sizes)
            return call(aten.transpose.int, part, -1, -2)

        return turned(real), turned(imag)

    def _in_blocks(self, x: Node, blocks: Any) -> Node:
        """Return the signal as [.., (b2, b1), blocks]."""
        call, (middle, last) = self.emitter.call, (self.split.middle, self.split.last)
        if self.split.rest == 1:
            return call(aten.view.default, x, [-1, 1, blocks])
        if middle == 1:
            x = call(aten.view.default, x, [-1, blocks, last])
            return call(aten.transpose.int, x, 1, 2)
        x = call(aten.view.default, x, [-1, blocks, middle, last])
        x = call(aten.permute.default, x, [0, 3, 2, 1])
        return call(aten.view.default, x, [-1, middle * last, blocks])

    def _direct(self, x: Node) -> tuple[Node, Node]:
        bins = ranges.count(self.kernel.outputs)
        parts = [
            self.emitter.call(aten.slice.Tensor, x, 1, part * bins, (part + 1) * bins)
            for part in (0, 1)
        ]
        return parts[0], parts[1]

    def _later_stages(self, x: Node, count: int) -> tuple[Node, Node]:
        call, (middle, last) = self.emitter.call, (self.split.middle, self.split.last)
        half = self.kernel.length // self.split.rest // 2 + 1
        rows, picks = _places(self.kernel, self.split)
        if middle > 1:
            x = call(aten.view.default, x, [-1, last, 2 * middle, half * count])
            x = call(aten.matmul.default, self._constant("middle", self._middle), x)
        x = call(aten.view.default, x, [-1, 2 * last, middle * half * count])
        x = call(aten.matmul.default, self._constant("roots", self._roots), x)
        given = len(rows) * middle * half
        x = call(aten.view.default, x, [-1, 2 * given, count])
        parts = []
        for part in (0, 1):
            numbers = torch.from_numpy(picks + part * given)
            name = f"{self._name()}_{('real', 'imag')[part]}_rows"
            index = self.emitter.constant(name, lambda numbers=numbers: numbers)  # type: ignore[misc]
            parts.append(call(aten.index_select.default, x, 1, index))
        return parts[0], parts[1]

    def _kernels(self) -> Matrix:
        """Return window x exp(sign 2 pi i h k1 / size), as [(b2, b1, ri, k1), 1, a]."""
        size, rest = self.kernel.length, self.split.rest
        first = size // rest
        k1 = np.arange(first // 2 + 1) if rest > 1 else ranges.indices(self.kernel.outputs)
        cos, sin = matrices.unit_roots(np.arange(size), k1, size)
        weights = self.kernel.factor * self.frames.weights()[:, None]
        both: Matrix = np.stack((cos * weights, self.kernel.sign * sin * weights))
        by_b = both.reshape(2, first, self.split.middle, self.split.last, len(k1))
        return by_b.transpose(3, 2, 0, 4, 1).reshape(-1, 1, first)

    def _middle(self) -> Matrix:
        """Return exp(sign 2 pi i b ka / rest) in real parts, as [b2, (ri, ka), (b1, ri)]."""
        middle, last = self.split.middle, self.split.last
        cos, sin = matrices.unit_roots(
            np.arange(middle), np.arange(self.split.rest), self.split.rest
        )
        parts = np.stack(_of_complex(cos, self.kernel.sign * sin))  # ri, ka, (b1, b2), ri
        by_b = parts.reshape(2, middle, middle, last, 2)
        return by_b.transpose(3, 0, 1, 2, 4).reshape(last, 2 * middle, 2 * middle)

    def _roots(self) -> Matrix:
        """Return exp(sign 2 pi i b2 kc / last) in real parts, as [(ri, kc), (b2, ri)].

        Where the bins that are read stand beyond the Nyquist frequency, they are the conjugates of
        those asked for.
        """
        size, rest, last = self.kernel.length, self.split.rest, self.split.last
        rows, _ = _places(self.kernel, self.split)
        cos, sin = matrices.unit_roots(rows, np.arange(last), last)
        bins = _held(ranges.indices(self.kernel.outputs), size // rest, size)
        beyond = np.unique(bins[2 * bins > size] // (size // last))
        sign = np.where(np.isin(rows, beyond)[:, None], -1.0, 1.0)
        real, imag = _of_complex(cos, self.kernel.sign * sin)
        return np.concatenate((real, imag * sign[..., None])).reshape(2 * len(rows), 2 * last)

    def _name(self) -> str:
        window = self.frames.window
        known = "" if window is None else hashlib.sha256(window.tobytes()).hexdigest()[:12]
        return f"{self.kernel.name}_frames_{self.split.middle}x{self.split.last}_{known}"

    def _constant(self, part: str, make: object) -> Node:
        dtype = self.frames.signal.meta["val"].dtype
        assert callable(make)
        return self.emitter.constant(
            f"{self._name()}_f{torch.finfo(dtype).bits}_{part}",
            lambda: torch.from_numpy(np.ascontiguousarray(make() + 0.0)).to(dtype),
        )
