"""A transform, the product with a constant spectrum and the way back, as one convolution.

With k the inverse transform of the spectrum, y[t] = sum over s of k[(t - s) mod n] x[s].  Of few
lags d = t - s is k other than zero, and few s and t may be asked for.  In blocks of B results,

    y[b B + j] = sum over i of w[j, i] x[b B + i + t0 - d1 + 1],    w[j, i] = k[j - i + d1 - 1]

where the lags are from d0 to d1 and the results begin at t0.  The signal stands as B channels, of
every B-th number each: then it is a convolution from B channels to B, and what a runtime gathers
for it are rows of memory, which a stride of B would not give.  Its kernels take as many of these
columns as there are lags, and B - 1 more, in blocks of B; what they begin with too much is zero.
Overlap-save with a product for a transform (Stockham 1966); where it is predicted to cost more than
the transforms, it is not taken.
"""

from __future__ import annotations

from math import inf, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.fx import Node

from affnet.export.fourier.plans.base import Cost
from affnet.export.fourier.rewrite import ranges
from affnet.export.fourier.rewrite.embedding import embedded, embedding
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.filters import Filter, between
from affnet.export.fourier.rewrite.kernels import Kernel, least_cost, microseconds
from affnet.export.fourier.rewrite.known_values import known_value
from affnet.export.fourier.rewrite.registry import Call
from affnet.export.fourier.rewrite.right_angle import best_stages, filtered
from affnet.export.fourier.rewrite.values import Complex

aten = torch.ops.aten

_BLOCKS = (32, 64, 128, 256)
#: The kernels of a convolution hold no more numbers: 2 MB in float32.
_MAX_ELEMENTS = 1 << 19
#: What rounding a spectrum leaves of a kernel where it is zero, over its norm: in units of eps.
_NOISE = 32


def _width(found: Filter, block: int) -> int:
    """Return of how many numbers ``block`` results are made, in whole blocks."""
    return -(-(found.lags[1] - found.lags[0] + block - 1) // block) * block


def _cost(found: Filter, block: int) -> Cost:
    """Return what the convolution costs in blocks of ``block`` results."""
    channels, width = len(found.taps), _width(found, block)
    each = found.rows * channels * -(-found.count // block)
    numbers = each * (2 * width + 4 * block) + channels * block * width
    return Cost(each * block * width, found.rows * channels, 4 * numbers, 6)


def as_convolution(call: Call) -> Node | None:
    """Return the result of a real inverse transform that ends a convolution, None if it does not.

    It is a convolution, or transforms of half the length, whichever is predicted to cost less.
    None also where both cost more than the transforms, and on runtimes slow at either.
    """
    emitter = call.emitter
    if emitter.half or not emitter.left_products:
        return None
    found = _filter_of(call)
    if found is None:
        return None
    channels, total = len(found.taps), found.rows * len(found.taps)
    costs = [
        (microseconds(_cost(found, block), emitter.speed), block)
        for block in _BLOCKS
        if channels * block * _width(found, block) <= _MAX_ELEMENTS
    ]
    direct, block = min(costs, default=(inf, 0))
    right_angle, stages = best_stages(found, emitter.speed)
    if min(direct, right_angle) > _by_transforms(found, call.args[3], total, emitter):
        return None
    if stages is not None and right_angle < direct:
        core = filtered(emitter, found, stages, call)
    else:
        core = _convolved(emitter, found, block, call)
    return embedded(emitter, core, {call.want.dim() - 1: ((found.wanted,), call.want.shape[-1])})


def _by_transforms(found: Filter, length: int, total: int, emitter: Emitter) -> float:
    """Return the microseconds of both transforms and the product between them."""
    bins = ranges.whole(length // 2 + 1)
    forward = Kernel(length, -1, (found.given,), bins, takes_real=True)
    backward = Kernel(length, 1, bins, (found.wanted,), gives_real=True, hermitian=True)
    between = Cost(0, 0, 4 * 18 * total * (length // 2 + 1), 6)
    way = (least_cost(kernel, total, 1, emitter.speed) for kernel in (forward, backward))
    return sum(way) + microseconds(between, emitter.speed)


def _filter_of(call: Call) -> Filter | None:
    """Return the filter that ends in ``call``, a transform to real numbers."""
    emitter, last = call.emitter, call.want.dim() - 1
    product: Any = call.node.args[0]
    shape, length = call.want.shape, call.args[3]
    if product.target is not aten.mul.Tensor or [*call.args[1]] != [last] or not _are_fixed(shape):
        return None
    for transform, spectrum in (product.args, product.args[::-1]):
        if not _is_transform(transform, last, shape, length):
            continue
        values = _known(emitter, spectrum)
        x = emitter.values[transform.args[0]]
        if values is None or not isinstance(x, Node):
            continue
        known = embedding(emitter, x)
        given = known.span(last, length)
        live = emitter.live.get(call.node, {})
        wanted = live.get(last, ranges.whole(length))
        is_along_last = {*known.spans, *live} <= {last}
        if known.core is None or not is_along_last or len(given) != 1 or len(wanted) != 1:
            return None
        factor = _factor(length, transform.args[2]) * _factor(length, call.args[2]) * length
        return _cropped(known.core, given[0], wanted[0], factor * values, shape)
    return None


def _factor(length: int, norm: Any) -> float:
    return (1.0, length**-0.5, 1.0 / length)[norm]


def _are_fixed(shape: Any) -> bool:
    return all(isinstance(length, int) for length in shape)


def _is_transform(node: Any, last: int, shape: Any, length: int) -> bool:
    """Return whether ``node`` makes the half spectra of signals of the ``shape`` of the results."""
    if not isinstance(node, Node) or node.target is not aten._fft_r2c.default or node.kwargs:
        return False
    axes: Any = node.args[1]
    signal = node.all_input_nodes[0].meta["val"]
    is_half = bool(node.args[3]) and list(axes) == [last]
    return is_half and list(signal.shape) == list(shape) and signal.shape[-1] == length


def _known(emitter: Emitter, spectrum: Any) -> NDArray[np.complex128] | None:
    """Return a spectrum that no input decides."""
    value = emitter.values.get(spectrum) if isinstance(spectrum, Node) else None
    nodes = (value.real, value.imag) if isinstance(value, Complex) else (value,)
    parts = [known_value(emitter, node) for node in nodes]
    known = [part.detach().double().numpy() for part in parts if part is not None]
    if len(known) < len(nodes):
        return None
    values: NDArray[np.complex128] = known[0] + 1j * (known[1] if len(known) == 2 else 0.0)
    return values


def _cropped(
    x: Node, given: tuple[int, int], wanted: tuple[int, int], values: Any, shape: Any
) -> Filter | None:
    """Return the filter of a spectrum with the lags between ``given`` and ``wanted`` alone."""
    length, bins = shape[-1], shape[-1] // 2 + 1
    if not values.ndim:  # a gain
        return None
    channels = values.shape[-2] if values.ndim > 1 else 1
    if values.shape[-1] != bins or values.size != channels * bins or 0 in shape:
        return None
    kernel = np.fft.irfft(values.reshape(channels, bins), length)
    lags = np.arange(wanted[0] - given[1] + 1, wanted[1] - given[0])
    taps = kernel[:, lags % length]
    noise = _NOISE * torch.finfo(x.meta["val"].dtype).eps
    least = noise * np.linalg.norm(kernel, axis=1, keepdims=True) / np.sqrt(length)
    heard = np.flatnonzero((np.abs(taps) > least).any(axis=0))
    if not len(heard):
        return None
    taps = taps[:, heard[0] : heard[-1] + 1]
    between = int(lags[heard[0]]), int(lags[heard[-1]]) + 1
    return Filter(x, given, wanted, taps, between, prod(shape[:-1]) // channels)


def _convolved(emitter: Emitter, found: Filter, block: int, call: Call) -> Node:
    """Return the results that are read, of the shape asked for but for their number."""
    channels, width = len(found.taps), _width(found, block)
    count = found.count
    blocks = -(-count // block)
    end = found.wanted[0] - found.lags[0] + blocks * block
    x = between(emitter, found.x, found.given, end - (blocks - 1) * block - width, end)
    x = emitter.call(aten.view.default, x, [found.rows, channels, -1, block])
    x = emitter.call(aten.transpose.int, x, -1, -2)
    x = emitter.call(aten.reshape.default, x, [found.rows, channels * block, -1])
    dtype = found.x.meta["val"].dtype

    def kernels() -> torch.Tensor:
        taps = found.taps[:, ::-1]
        rows = np.zeros((channels, block, width))
        for j in range(block):
            last = width - block + 1 + j
            rows[:, j, last - taps.shape[1] : last] = taps
        by_column = rows.reshape(channels, block, -1, block).swapaxes(2, 3)
        return torch.from_numpy(by_column.reshape(channels * block, block, -1).copy()).to(dtype)

    weight = emitter.constant(f"{call.node.name}_kernels", kernels)
    y = emitter.call(aten.conv1d.default, x, weight, None, [1], [0], [1], channels)
    y = emitter.call(aten.view.default, y, [found.rows, channels, block, blocks])
    y = emitter.call(aten.transpose.int, y, -1, -2)
    y = emitter.call(aten.view.default, y, [found.rows, channels, block * blocks])
    if block * blocks > count:
        y = emitter.call(aten.slice.Tensor, y, -1, 0, count)
    return emitter.call(aten.view.default, y, [*call.want.shape[:-1], count])
