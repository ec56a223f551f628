"""The transform of overlapping frames of a signal, frames last, without making the frames.

With size = first x rest, h = rest a + b and k = k1 + first k2, and with rest a divisor of the step,

    x[.., L] -> [.., b, blocks]                        the signal in blocks of rest, transposed
    a strided convolution over blocks for each b       z[.., b, (ri, k1), frame]
    the roots of `rest`, times z from the left         X[.., (ri, k2), k1, frame]

The convolution picks the frames, and its kernels hold window, first stage and twiddle factors.
X[size - k] of real numbers is the conjugate of X[k]: it is enough to have k1 up to first / 2 for
all k2, and to pick the bins by their rows.  Where step and size share no such divisor, the frames
are made, and put one after the other they are a signal whose step is their size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd, prod

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


def transform_frames(emitter: Emitter, x: Node, kernel: Kernel) -> tuple[Node, Node] | None:
    """Return the transform of ``x`` over its last axis, None if it is better made of the frames.

    It is where ``x`` is no windowed frames of a signal, where nothing divides both size and step,
    and on runtimes that are slow at convolutions in many groups.
    """
    frames = frames_of(emitter, x)
    if frames is None or not emitter.left_products or frames.size != kernel.length:
        return None
    speed = emitter.speed
    shape = frames.signal.meta["val"].shape
    if not all(isinstance(length, int) for length in shape):
        return None
    batch, count = prod(shape[:-1]), frames.count(shape[-1])
    candidates = [
        (microseconds(_cost(kernel, rest, batch, count), speed) + made, step, rest)
        for step, made in ((frames.step, 0.0), (frames.size, _making(kernel, batch * count, speed)))
        for rest in _rests(frames.size, step)
    ]
    best, step, rest = min(candidates)
    if best > _by_frames(kernel, batch * count, speed):
        return None
    if step != frames.step:
        flat = emitter.call(aten.view.default, frames.made, [*shape[:-1], count * frames.size])
        frames = replace(frames, signal=flat, step=step)
    return _Framed(emitter, frames, kernel, rest).result()


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


def _rests(size: int, step: int) -> Iterator[int]:
    """Yield the lengths of a second stage: even, so that the Nyquist bin is exactly real."""
    shared = gcd(size, step)
    for rest in range(1, min(shared, size // 2) + 1):
        first = size // rest
        is_even = rest == 1 or rest % 2 == 0
        if shared % rest == 0 and is_even and size * 2 * (first // 2 + 1) <= _MAX_ELEMENTS:
            yield rest


def _cost(kernel: Kernel, rest: int, batch: int, count: int) -> Cost:
    size, bins = kernel.length, ranges.count(kernel.outputs)
    if rest == 1:
        numbers = batch * count * (2 * size + 4 * bins) + 2 * bins * size
        return Cost(2 * batch * count * size * bins, batch, 4 * numbers, 4)
    half, rows = size // rest // 2 + 1, len(_places(kernel, rest)[0])
    inner, outer = batch * count * 2 * rest * half, batch * count * 2 * rows * half
    numbers = 2 * (batch * count * (size + 2 * bins) + inner + outer) + 2 * half * size
    macs = batch * count * 2 * half * size + outer * 2 * rest
    return Cost(macs, batch * (rest + 1), 4 * numbers, 8)


def _making(kernel: Kernel, total: int, speed: Speed) -> float:
    """Return the microseconds of making ``total`` frames."""
    return microseconds(Cost(0, 0, 4 * 3 * total * kernel.length, 5), speed)


def _by_frames(kernel: Kernel, total: int, speed: Speed) -> float:
    """Return those of making frames, of the window, the transforms and putting frames last."""
    passes = 2 * total * (kernel.length + 2 * ranges.count(kernel.outputs))
    by_plan = least_cost(kernel, total, 1, speed)
    return by_plan + _making(kernel, total, speed) + microseconds(Cost(0, 0, 4 * passes, 3), speed)


def _places(kernel: Kernel, rest: int) -> tuple[Indices, Indices, Indices]:
    """Return the k2 to compute, and of each bin k asked for its place among them, and its k1.

    Bins with k1 > first / 2 are those of size - k.
    """
    first = kernel.length // rest
    bins = ranges.indices(kernel.outputs)
    bins = np.where(bins % first > first // 2, kernel.length - bins, bins)
    rows, place = np.unique(bins // first, return_inverse=True)
    return rows, place, bins % first


@dataclass(frozen=True)
class _Framed:
    """One transform of ``frames`` with a second stage of length ``rest``."""

    emitter: Emitter
    frames: Frames
    kernel: Kernel
    rest: int

    def result(self) -> tuple[Node, Node]:
        """Return both parts, [.., frames, bins], as transposes of tensors with the frames last."""
        call, frames, rest = self.emitter.call, self.frames, self.rest
        shape = frames.signal.meta["val"].shape
        count = frames.count(shape[-1])
        blocks = (frames.size + (count - 1) * frames.step) // rest
        x = frames.signal
        if blocks * rest < shape[-1]:
            x = call(aten.slice.Tensor, x, -1, 0, blocks * rest)
        x = call(aten.view.default, x, [-1, blocks, rest] if rest > 1 else [-1, 1, blocks])
        if rest > 1:
            x = call(aten.transpose.int, x, 1, 2)
        weight = self._constant("kernels", self._kernels)
        stride = [frames.step // rest]
        x = call(aten.conv1d.default, x, weight, None, stride, [0], [1], rest)
        real, imag = self._direct(x) if rest == 1 else self._second_stage(x, count)
        bins = ranges.count(self.kernel.outputs)
        sizes = [*shape[:-1], bins, count]

        def turned(part: Node) -> Node:
            part = call(aten.view.default, part, sizes)
            return call(aten.transpose.int, part, -1, -2)

        return turned(real), turned(imag)

    def _direct(self, x: Node) -> tuple[Node, Node]:
        bins = ranges.count(self.kernel.outputs)
        parts = [
            self.emitter.call(aten.slice.Tensor, x, 1, part * bins, (part + 1) * bins)
            for part in (0, 1)
        ]
        return parts[0], parts[1]

    def _second_stage(self, x: Node, count: int) -> tuple[Node, Node]:
        call, rest = self.emitter.call, self.rest
        half = self.kernel.length // rest // 2 + 1
        rows, place, k1 = _places(self.kernel, rest)
        x = call(aten.view.default, x, [-1, 2 * rest, half * count])
        x = call(aten.matmul.default, self._constant("roots", self._roots), x)
        x = call(aten.view.default, x, [-1, 2 * len(rows) * half, count])
        picks = place * half + k1
        parts = []
        for part in (0, 1):
            numbers = torch.from_numpy(picks + part * len(rows) * half)
            name = f"{self._name()}_{('real', 'imag')[part]}_rows"
            index = self.emitter.constant(name, lambda numbers=numbers: numbers)  # type: ignore[misc]
            parts.append(call(aten.index_select.default, x, 1, index))
        return parts[0], parts[1]

    def _kernels(self) -> Matrix:
        """Return window x exp(sign 2 pi i h k1 / size), as [(b, ri, k1), 1, a]."""
        size, rest = self.kernel.length, self.rest
        first = size // rest
        k1 = np.arange(first // 2 + 1) if rest > 1 else ranges.indices(self.kernel.outputs)
        cos, sin = matrices.unit_roots(np.arange(size), k1, size)
        weights = self.kernel.factor * self.frames.weights()[:, None]
        both: Matrix = np.stack((cos * weights, self.kernel.sign * sin * weights))
        by_b = both.reshape(2, first, rest, len(k1)).transpose(2, 0, 3, 1)
        return by_b.reshape(-1, 1, first)

    def _roots(self) -> Matrix:
        """Return exp(sign 2 pi i b k2 / rest) in real parts, as [(ri, k2), (b, ri)].

        Where the bins that are read stand beyond the Nyquist frequency, they are the conjugates of
        those asked for.
        """
        rest, size = self.rest, self.kernel.length
        rows, place, k1 = _places(self.kernel, rest)
        cos, sin = matrices.unit_roots(rows, np.arange(rest), rest)
        sin *= self.kernel.sign
        mirrored = np.zeros((len(rows), 1), bool)
        mirrored[place[2 * (rows[place] * (size // rest) + k1) > size]] = True
        sign = np.where(mirrored, -1.0, 1.0)
        real = np.stack((cos, -sin), axis=-1)
        imag = np.stack((sin, cos), axis=-1) * sign[..., None]
        return np.concatenate((real, imag)).reshape(2 * len(rows), 2 * rest)

    def _name(self) -> str:
        window = self.frames.window
        known = "" if window is None else hashlib.sha256(window.tobytes()).hexdigest()[:12]
        return f"{self.kernel.name}_frames_{self.rest}_{known}"

    def _constant(self, part: str, make: object) -> Node:
        dtype = self.frames.signal.meta["val"].dtype
        assert callable(make)
        return self.emitter.constant(
            f"{self._name()}_f{torch.finfo(dtype).bits}_{part}",
            lambda: torch.from_numpy(np.ascontiguousarray(make() + 0.0)).to(dtype),
        )
