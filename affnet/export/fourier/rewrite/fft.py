"""The discrete Fourier transform as matrix products with constants.

Along its axis, moved last, it is X = x T with T[h, k] = exp(-+ 2 pi i h k / n):

    _fft_c2c      X_r = x_r C - x_i S,  X_i = x_r S + x_i C      with T = C + i S
    _fft_r2c      X_r = x C,            X_i = x S                all or the first n // 2 + 1 columns
    _fft_c2r      x   = X_r A + X_i B                            see `matrices.half_to_real`

A transform over several axes is one after the other; the real one goes over the last axis given.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.registry import Call, complex_rule
from affnet.export.fourier.rewrite.values import Complex, Scaled

aten = torch.ops.aten

# The two parts of a transform of this length fill 1 GB in float32; beyond it a matrix product is
# no sensible form of a transform, and an ONNX file could not hold it.
MAX_LENGTH = 8192

_NORMS = ("n", "o", "i")  # PyTorch's 0, 1, 2: no factor, 1 / sqrt(n), 1 / n


def _scale(length: int, norm: int) -> float:
    """Return the factor that turns an orthonormal transform into one of this normalisation."""
    return float(np.sqrt(length)) if norm == 0 else (1.0 if norm == 1 else length**-0.5)


def _exponent(emitter: Emitter, length: int, norm: int) -> int:
    """Return e of the factor 2^-e that keeps a transform of float16 values small, see `scaling`."""
    return round(math.log2(length) / 2) if emitter.half and norm == 0 else 0


def _pair(
    emitter: Emitter, kind: str, length: int, norm: int, dtype: torch.dtype, exponent: int = 0
) -> list[Node]:
    """Return the two constants of a transform times 2^``exponent``; equal transforms share them.

    ``kind`` is 'forward' or 'inverse' (n x n each: C and S), 'half' (n x F: C and S) or 'real'
    (F x n: A and B), with F = n // 2 + 1.
    """

    def make(part: int) -> torch.Tensor:
        if kind == "half":
            matrix = matrices.real_to_half(length)[:, part]
        elif kind == "real":
            matrix = matrices.half_to_real(length)[part]
        else:
            # output part, k, h of the real input's column: (cos, -+sin), symmetric in h and k
            matrix = matrices.complex_dft(length, inverse=kind == "inverse")[part, :, :, 0]
        # + 0.0 makes +0 of -0, so that the sums of the zero and the Nyquist bin are +0 as PyTorch's
        # are: their angle is 0 or pi, not -pi
        scaled = matrix.T * (_scale(length, norm) * 2.0**exponent) + 0.0
        return torch.from_numpy(np.ascontiguousarray(scaled)).to(dtype)

    bits = torch.finfo(dtype).bits
    name = f"dft_{kind}_{length}_{_NORMS[norm]}_f{bits}"
    if exponent:
        name += f"_e{exponent}".replace("-", "m")
    return [
        emitter.constant(f"{name}_cos", partial(make, 0)),
        emitter.constant(f"{name}_sin", partial(make, 1)),
    ]


def _checked_length(emitter: Emitter, node: Node, axis: int, length: Any = None) -> int:
    """Return the length of the transform over ``axis`` of the node's argument."""
    if length is None:
        length = node.all_input_nodes[0].meta["val"].shape[axis]
    if not isinstance(length, int):
        emitter.refuse(
            f"axis {axis}, which it transforms, has a dynamic length; export it with a fixed one"
        )
    if length > MAX_LENGTH:
        emitter.refuse(
            f"a transform of length {length} needs matrices of more than 1 GB; "
            f"cut it into frames of at most {MAX_LENGTH}, as torch.stft does"
        )
    return length


def _last(emitter: Emitter, x: Node, axis: int) -> Node:
    """Swap ``axis`` with the last one."""
    if axis == x.meta["val"].dim() - 1:
        return x
    return emitter.call(aten.transpose.int, x, axis, -1)


def _times(emitter: Emitter, x: Node, matrix: Node) -> Node:
    return emitter.call(aten.linear.default, x, matrix)


def _over_axis(
    emitter: Emitter, parts: tuple[Node, Node], axis: int, matrix: list[Node]
) -> tuple[Node, Node]:
    """Transform a complex value over one axis."""
    real, imag = (_last(emitter, part, axis) for part in parts)
    cos, sin = matrix
    new_real = emitter.call(aten.sub.Tensor, _times(emitter, real, cos), _times(emitter, imag, sin))
    new_imag = emitter.call(aten.add.Tensor, _times(emitter, real, sin), _times(emitter, imag, cos))
    return _last(emitter, new_real, axis), _last(emitter, new_imag, axis)


def _complex_axes(
    emitter: Emitter, node: Node, parts: tuple[Node, Node], axes: list[int], norm: int, kind: str
) -> tuple[tuple[Node, Node], int]:
    """Transform over ``axes``; the result is 2^e times the parts, e being returned with them."""
    total = 0
    for axis in axes:
        length = _checked_length(emitter, node, axis)
        exponent = _exponent(emitter, length, norm)
        matrix = _pair(emitter, kind, length, norm, parts[0].meta["val"].dtype, -exponent)
        parts = _over_axis(emitter, parts, axis, matrix)
        total += exponent
    return parts, total


def _axes(node: Node, axes: Any) -> list[int]:
    rank = node.meta["val"].dim()
    return [int(axis) % rank for axis in axes]


@complex_rule(aten._fft_c2c.default)
def _fft_c2c(call: Call) -> Complex:
    x, axes, norm, forward = call.args
    kind = "forward" if forward else "inverse"
    bare, exponent = _taken_apart(x)
    parts, added = _complex_axes(
        call.emitter, call.node, bare, _axes(call.node, axes)[::-1], norm, kind
    )
    return Scaled.of(call.emitter, call.emitter.result(*parts), exponent + added)


def _taken_apart(x: Complex) -> tuple[tuple[Node, Node], int]:
    """Return the parts of what ``x`` is held as, and the exponent of its scale."""
    bare, exponent = (x.bare, x.exponent) if isinstance(x, Scaled) else (x, 0)
    return (bare.real, bare.imag), exponent


@complex_rule(aten._fft_r2c.default)
def _fft_r2c(call: Call) -> Complex:
    x, axes, norm, onesided = call.args
    *others, axis = _axes(call.node, axes)
    length = _checked_length(call.emitter, call.node, axis)
    kind = "half" if onesided else "forward"
    exponent = _exponent(call.emitter, length, norm)
    matrix = _pair(call.emitter, kind, length, norm, x.meta["val"].dtype, -exponent)
    moved = _last(call.emitter, x, axis)
    real, imag = (_last(call.emitter, _times(call.emitter, moved, part), axis) for part in matrix)
    parts, added = _complex_axes(
        call.emitter, call.node, (real, imag), others[::-1], norm, "forward"
    )
    return Scaled.of(call.emitter, call.emitter.result(*parts), exponent + added)


@complex_rule(aten._fft_c2r.default)
def _fft_c2r(call: Call) -> Node:
    """Return to real numbers.

    The matrix over the last axis holds sin = 0 for the zero and the Nyquist bin: whatever
    imaginary part they have after the other axes' transforms has no effect, as in PyTorch.
    """
    x, axes, norm, size = call.args
    *others, axis = _axes(call.node, axes)
    length = _checked_length(call.emitter, call.node, axis, size)
    bins = _checked_length(call.emitter, call.node, axis)
    if bins != length // 2 + 1:
        call.emitter.refuse(
            f"{bins} bins are no half spectrum of length {length}; give the inverse "
            "transform the bins and the length of a forward one"
        )
    bare, exponent = _taken_apart(x)
    parts, added = _complex_axes(call.emitter, call.node, bare, others, norm, "inverse")
    dtype = parts[0].meta["val"].dtype
    matrix = _pair(call.emitter, "real", length, norm, dtype, exponent + added)
    products = [
        _times(call.emitter, _last(call.emitter, part, axis), factor)
        for part, factor in zip(parts, matrix, strict=True)
    ]
    return _last(call.emitter, call.emitter.call(aten.add.Tensor, *products), axis)
