"""The discrete Fourier transform in real arithmetic, axis by axis.

    _fft_c2c      X[k] = sum x[h] exp(-+ 2 pi i h k / n)
    _fft_r2c      the same of real values; all or the first n // 2 + 1 frequencies
    _fft_c2r      back from the first n // 2 + 1 frequencies to real values

A transform over several axes is one after the other; the real one goes over the last axis given.
Over each axis it takes the values that are not zero, as `embedding` knows them, to the frequencies
that anything depends on, as `liveness` knows them; `kernels` says how and `one_axis` does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from affnet.export.fourier.rewrite import ranges
from affnet.export.fourier.rewrite.convolution import as_convolution
from affnet.export.fourier.rewrite.embedding import embedded, embedding, picked, zeros
from affnet.export.fourier.rewrite.emitter import Emitter, wrong_length
from affnet.export.fourier.rewrite.framed import transform_frames
from affnet.export.fourier.rewrite.kernels import Kernel
from affnet.export.fourier.rewrite.large_products import Parts, each
from affnet.export.fourier.rewrite.one_axis import transform
from affnet.export.fourier.rewrite.ranges import Ranges
from affnet.export.fourier.rewrite.registry import Call, complex_rule
from affnet.export.fourier.rewrite.values import Complex, Scaled

aten = torch.ops.aten

_FORWARD, _INVERSE = -1, 1  # the signs of the exponents


def _factor(length: int, norm: int) -> float:
    """Return the factor of PyTorch's normalisation 0, 1 or 2."""
    return (1.0, length**-0.5, 1.0 / length)[norm]


def _exponent(emitter: Emitter, length: int, norm: int) -> int:
    """Return e of the factor 2^-e that keeps a transform of float16 values small, see `scaling`."""
    return round(math.log2(length) / 2) if emitter.half and norm == 0 else 0


def _checked_length(node: Node, axis: int, length: Any = None) -> int:
    """Return the length of the transform over ``axis`` of the node's argument."""
    if length is None:
        length = node.all_input_nodes[0].meta["val"].shape[axis]
    if not isinstance(length, int):
        raise wrong_length(
            node,
            f"axis {axis}, which it transforms, has a dynamic length",
            "omit it from --dynamic, or cut it into frames of one length, as torch.stft does.",
        )
    return length


class _Transform:
    """A value on its way through the transforms of one call: a core and where it stands."""

    def __init__(self, call: Call, real: Node, imag: Node | None, exponent: int = 0) -> None:
        self.call, self.emitter = call, call.emitter
        self.norm: int = call.args[2]
        rank = call.want.dim()
        self.axes = [int(axis) % rank for axis in call.args[1]]
        self.live = self.emitter.live.get(call.node, {})
        self.spans: dict[int, tuple[Ranges, int]] = {}
        self.exponent = exponent  # the value is 2^exponent times what is held
        self.parts = self._cores(real, imag)
        if self.parts is not None:
            self._crop()

    def _cores(self, real: Node, imag: Node | None) -> Parts | None:
        """Return the parts without what is zero, None if all of it is."""
        given = [part for part in (real, imag) if part is not None]
        known = [embedding(self.emitter, part) for part in given]
        if len(given) == 2 and known[1].core is None:
            given, known = given[:1], known[:1]
        if len(given) == 1 and known[0].core is None:
            return None
        if all(each.core is not None and each.spans == known[0].spans for each in known):
            given = [each.core for each in known if each.core is not None]
            shape = real.meta["val"].shape
            self.spans = {axis: (span, shape[axis]) for axis, span in known[0].spans.items()}
        return given[0], given[1] if len(given) == 2 else None

    def _crop(self) -> None:
        """Leave out what nothing depends on of the axes that are not transformed."""
        assert self.parts is not None
        if any(not span for span in self.live.values()):
            self.parts = None
            return
        for axis, live in self.live.items():
            if axis in self.axes:
                continue
            length = self.call.want.shape[axis]
            have, _ = self.spans.get(axis, (ranges.whole(length), length))
            start, stop = live[0][0], live[-1][1]
            left = ranges.shifted(ranges.within(have, start, stop), start)
            if not left:
                self.parts = None
                return
            at = ((ranges.position(have, start), ranges.position(have, stop)),)
            self._change(lambda part: picked(self.emitter, part, axis, at, 0, ranges.count(have)))  # noqa: B023
            self.spans[axis] = left, length

    def _change(self, change: Callable[[Node], Node]) -> None:
        if self.parts is not None:
            self.parts = each(self.parts, change)

    def over(self, axis: int, sign: int, *, length: int | None = None, gives_real: bool = False,
             gives: int | None = None) -> None:  # fmt: skip
        """Transform over ``axis``, of ``length`` if that is not the axis's, to ``gives`` indices.

        A ``length`` says that the axis holds a half spectrum.
        """
        if self.parts is None:
            return
        have = _checked_length(self.call.node, axis)
        hermitian, length = length is not None, have if length is None else length
        given = length if gives is None else gives
        wanted = self.live.get(axis, ranges.whole(given))
        taken, _ = self.spans.get(axis, (ranges.whole(have), have))
        exponent = _exponent(self.emitter, length, self.norm) if not hermitian else 0
        total = self.exponent if gives_real else -exponent
        kernel = Kernel(
            length, sign, taken, wanted, _factor(length, self.norm) * 2.0**total,
            takes_real=self.parts[1] is None, gives_real=gives_real, hermitian=hermitian,
        )  # fmt: skip
        self.parts = transform(self.emitter, self.parts, axis, kernel)
        self.spans[axis] = wanted, given
        self.exponent += exponent

    def over_all(self, axes: list[int], sign: int) -> None:
        """Transform over several axes, those first that leave fewer numbers to the others."""

        def growth(axis: int) -> float:
            given = _checked_length(self.call.node, axis)
            wanted = ranges.count(self.live.get(axis, ranges.whole(given)))
            taken, _ = self.spans.get(axis, (ranges.whole(given), given))
            return wanted / max(1, ranges.count(taken))

        for axis in sorted(axes, key=growth):
            self.over(axis, sign)

    def result(self) -> tuple[Node, Node]:
        """Return both parts of the result, the second zeros where it is real."""
        like = self.call.want.real if self.call.want.is_complex() else self.call.want
        parts: tuple[Node | None, ...] = self.parts or (None, None)
        real, imag = (
            zeros(self.emitter, like) if part is None else embedded(self.emitter, part, self.spans)
            for part in parts
        )
        return real, imag


@complex_rule(aten._fft_c2c.default)
def _fft_c2c(call: Call) -> Complex:
    x, forward = call.args[0], call.args[3]
    bare, exponent = _taken_apart(x)
    transform = _Transform(call, *bare, exponent)
    transform.over_all(transform.axes[::-1], _FORWARD if forward else _INVERSE)
    return _given(call, transform)


def _taken_apart(x: Complex) -> tuple[tuple[Node, Node], int]:
    """Return the parts of what ``x`` is held as, and the exponent of its scale."""
    bare, exponent = (x.bare, x.exponent) if isinstance(x, Scaled) else (x, 0)
    return (bare.real, bare.imag), exponent


def _given(call: Call, transform: _Transform) -> Complex:
    parts = call.emitter.result(*transform.result())
    return Scaled.of(call.emitter, parts, transform.exponent)


@complex_rule(aten._fft_r2c.default)
def _fft_r2c(call: Call) -> Complex:
    if (found := _of_frames(call)) is not None:
        return found
    transform = _Transform(call, call.args[0], None)
    *others, axis = transform.axes
    length = _checked_length(call.node, axis)
    transform.over(axis, _FORWARD, gives=length // 2 + 1 if call.args[3] else length)
    transform.over_all(others[::-1], _FORWARD)
    return _given(call, transform)


def _of_frames(call: Call) -> Complex | None:
    """Return the transform of frames of a signal, None where this is none or costs more."""
    emitter, (x, axes, norm, is_half) = call.emitter, call.args
    axis = call.want.dim() - 1
    live = emitter.live.get(call.node, {})
    if [axis] != [int(a) % (axis + 1) for a in axes] or not is_half or not set(live) <= {axis}:
        return None
    length = x.meta["val"].shape[axis]
    bins = call.want.shape[axis]
    if not isinstance(length, int) or not (wanted := live.get(axis, ranges.whole(bins))):
        return None
    exponent = _exponent(emitter, length, norm)
    kernel = Kernel(
        length, _FORWARD, ranges.whole(length), wanted, _factor(length, norm) * 2.0**-exponent,
        takes_real=True,
    )  # fmt: skip
    parts = transform_frames(emitter, x, kernel)
    if parts is None:
        return None
    real, imag = (embedded(emitter, part, {axis: (wanted, bins)}) for part in parts)
    return Scaled.of(emitter, emitter.result(real, imag), exponent)


@complex_rule(aten._fft_c2r.default)
def _fft_c2r(call: Call) -> Node:
    """Return to real numbers.

    The roots of the zero and the Nyquist bin have sin = 0: whatever imaginary part these have after
    the other axes' transforms has no effect, as in PyTorch.
    """
    if (found := as_convolution(call)) is not None:
        return found
    bare, exponent = _taken_apart(call.args[0])
    transform = _Transform(call, *bare, exponent)
    *others, axis = transform.axes
    length = _checked_length(call.node, axis, call.args[3])
    bins = _checked_length(call.node, axis)
    if bins != length // 2 + 1:
        call.emitter.refuse(
            f"{bins} bins are no half spectrum of length {length}; give the inverse "
            "transform the bins and the length of a forward one"
        )
    transform.over_all(others, _INVERSE)
    transform.over(axis, _INVERSE, length=length, gives_real=True)
    return transform.result()[0]
