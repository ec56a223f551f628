"""Making complex values: casts, constants, and the borders between complex and real tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from affnet.export.fourier.rewrite.arithmetic import operand
from affnet.export.fourier.rewrite.embedding import zeros
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.registry import Call, complex_rule, real_rule
from affnet.export.fourier.rewrite.values import Complex

aten = torch.ops.aten


@complex_rule(aten.complex.default)
def _complex(call: Call) -> Complex:
    return call.emitter.result(call.args[0], call.args[1])


@complex_rule(aten.real.default)
def _real(call: Call) -> Node:
    real: Node = call.args[0].real
    return real


@complex_rule(aten.imag.default)
def _imag(call: Call) -> Node:
    imag: Node = call.args[0].imag
    return imag


@complex_rule(aten.resolve_conj.default, aten.resolve_neg.default)
def _same(call: Call) -> Any:
    """Nothing is lazy in the new graph: a conjugate is computed where it is asked for."""
    return call.args[0]


@real_rule(aten._neg_view.default)
def _neg_view(call: Call) -> Node:
    """The imaginary part of a lazy conjugate: a negation that converters do not know as a view."""
    return call.emitter.call(aten.neg.default, call.args[0])


@complex_rule(aten._to_copy.default)
def _to_copy(call: Call) -> Complex | Node:
    """Cast each part; to a real type the real part alone survives, as in PyTorch."""
    real, imag = operand_without_cast(call.args[0])
    if not call.want.dtype.is_complex:
        return call.emitter.fit(real, call.want)
    return call.emitter.result(real, imag)


def operand_without_cast(value: Any) -> tuple[Node, Node | None]:
    """Return the parts of a tensor, with None where it is real."""
    return (value.real, value.imag) if isinstance(value, Complex) else (value, None)


@complex_rule(aten.copy.default)
def _copy(call: Call) -> Complex | Node:
    """The second argument in the first one's shape and type."""
    real, imag = operand_without_cast(call.args[1])
    if not call.want.dtype.is_complex:
        return call.emitter.fit(real, call.want)
    return call.emitter.result(real, imag)


@complex_rule(aten.full.default, aten.full_like.default, aten.new_full.default)
def _full(call: Call) -> Any:
    value = call.args[2] if call.node.target is aten.new_full.default else call.args[1]
    return _filled(call.emitter, call.node, value)


@complex_rule(aten.scalar_tensor.default)
def _scalar(call: Call) -> Any:
    return _filled(call.emitter, call.node, call.args[0])


@complex_rule(
    aten.zeros.default,
    aten.zeros_like.default,
    aten.new_zeros.default,
    # what is not initialised may as well be zero
    aten.empty.memory_format,
    aten.empty_like.default,
    aten.new_empty.default,
    aten.empty_permuted.default,
)
def _zeros(call: Call) -> Any:
    return _filled(call.emitter, call.node, 0)


@real_rule(
    aten.zeros.default,
    aten.zeros_like.default,
    aten.new_zeros.default,
    aten.full.default,
    aten.full_like.default,
)
def _real_zeros(call: Call) -> Any:
    """Zeros of floating point are known as such, for what is written into them."""
    is_full = call.node.target in (aten.full.default, aten.full_like.default)
    if not call.want.is_floating_point() or (is_full and call.args[1] != 0):
        return NotImplemented
    return zeros(call.emitter, call.want)


@complex_rule(aten.ones.default, aten.ones_like.default, aten.new_ones.default)
def _ones(call: Call) -> Any:
    return _filled(call.emitter, call.node, 1)


def _filled(emitter: Emitter, node: Node, value: Any) -> Complex | Node:
    real, imag = operand(emitter, value)
    if not node.meta["val"].dtype.is_complex:
        return emitter.fit(real, node.meta["val"])
    return emitter.result(real, imag)


@complex_rule(aten._assert_tensor_metadata.default)
def _assertion(call: Call) -> None:
    """Drop a check of the complex type: the export made it, and the type is no more."""
