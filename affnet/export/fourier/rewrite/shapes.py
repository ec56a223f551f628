"""Operators that move, pick, join or sum elements: they act on both parts alike."""

from __future__ import annotations

import operator as python_operator
from typing import Any

import torch
from torch.fx import Node

from affnet.export.fourier.rewrite.boxes import on_boxes
from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.registry import Call, complex_rule
from affnet.export.fourier.rewrite.values import Complex, real_dtype

aten = torch.ops.aten

# The positions of the arguments that hold data; all others (shapes, axes, masks, indices) are the
# same for both parts.
_FIRST = (0,)
_DATA_ARGUMENTS: dict[Any, tuple[int, ...]] = {
    aten.alias.default: _FIRST,
    aten.cat.default: _FIRST,
    aten.clone.default: _FIRST,
    aten.constant_pad_nd.default: (0, 2),
    aten.cumsum.default: _FIRST,
    aten.channel_shuffle.default: _FIRST,
    aten.detach.default: _FIRST,
    aten.col2im.default: _FIRST,
    aten.diag_embed.default: _FIRST,
    aten.embedding.default: _FIRST,
    aten.diagonal.default: _FIRST,
    aten.diagonal_scatter.default: (0, 1),
    aten.expand.default: _FIRST,
    aten.fill.Scalar: (0, 1),
    aten.fill.Tensor: (0, 1),
    aten.flip.default: _FIRST,
    aten.gather.default: _FIRST,
    aten.im2col.default: _FIRST,
    aten.index.Tensor: _FIRST,
    aten.index_put.default: (0, 2),
    aten.index_add.default: (0, 3),
    aten.index_copy.default: (0, 3),
    aten.index_fill.int_Scalar: (0, 3),
    aten.index_fill.int_Tensor: (0, 3),
    aten.index_select.default: _FIRST,
    aten.lift_fresh_copy.default: _FIRST,
    aten.masked_fill.Scalar: (0, 2),
    aten.masked_fill.Tensor: (0, 2),
    aten.masked_scatter.default: (0, 2),
    aten.mean.default: _FIRST,
    aten.mean.dim: _FIRST,
    aten.permute.default: _FIRST,
    aten.pixel_shuffle.default: _FIRST,
    aten.pixel_unshuffle.default: _FIRST,
    aten.put.default: (0, 2),
    aten.repeat.default: _FIRST,
    aten.repeat_interleave.self_int: _FIRST,
    aten.reflection_pad1d.default: _FIRST,
    aten.reflection_pad2d.default: _FIRST,
    aten.reflection_pad3d.default: _FIRST,
    aten.replication_pad1d.default: _FIRST,
    aten.replication_pad2d.default: _FIRST,
    aten.replication_pad3d.default: _FIRST,
    aten.roll.default: _FIRST,
    aten.rot90.default: _FIRST,
    aten.scatter.src: (0, 3),
    aten.scatter_add.default: (0, 3),
    aten.scatter.value: (0, 3),
    aten.select.int: _FIRST,
    aten.select_scatter.default: (0, 1),
    aten.slice.Tensor: _FIRST,
    aten.slice_scatter.default: (0, 1),
    aten.squeeze.default: _FIRST,
    aten.squeeze.dim: _FIRST,
    aten.squeeze.dims: _FIRST,
    aten.stack.default: _FIRST,
    aten.sum.default: _FIRST,
    aten.sum.dim_IntList: _FIRST,
    aten.t.default: _FIRST,
    aten.take.default: _FIRST,
    aten.transpose.int: _FIRST,
    aten.tril.default: _FIRST,
    aten.triu.default: _FIRST,
    aten.unsqueeze.default: _FIRST,
    aten.view.default: _FIRST,
    aten._unsafe_view.default: _FIRST,
    aten.where.self: (1, 2),
}

_MULTIPLE_OUTPUTS = (aten.split.Tensor, aten.split_with_sizes.default, aten.unbind.int)

#: Those that do the same to each part of their only tensor: what scales it scales their result.
PARTWISE_OF_ONE = {
    *_MULTIPLE_OUTPUTS,
    *(
        target
        for target, positions in _DATA_ARGUMENTS.items()
        if positions == _FIRST and target not in (aten.cat.default, aten.stack.default)
    ),
}

# A view whose memory is shared is never written to in a functional graph, so these give the plain
# operator, which every converter knows.
_PLAIN = {
    aten._unsafe_view.default: aten.view.default,
    aten.lift_fresh_copy.default: aten.clone.default,
    aten.detach.default: aten.alias.default,
}


def part_of(emitter: Emitter, value: Any, index: int) -> Any:
    """Return the real (0) or imaginary (1) part of a tensor, a number or a list of them."""
    if isinstance(value, Complex):
        return value.part(index)
    if isinstance(value, list | tuple):
        return [part_of(emitter, item, index) for item in value]
    if isinstance(value, Node):
        if index == 0:
            return value
        return emitter.call(aten.zeros_like.default, value)
    return (complex(value).real, complex(value).imag)[index]


def _real_types(arguments: dict[str, Any]) -> dict[str, Any]:
    """Replace a complex ``dtype`` argument by that of the parts."""
    return {
        key: real_dtype(value) if isinstance(value, torch.dtype) else value
        for key, value in arguments.items()
    }


def _partwise(call: Call) -> Any:
    if not call.want.dtype.is_complex:
        call.emitter.refuse(
            "its result is real although an argument is complex; give it z.real, z.imag or z.abs()"
        )
    target: Any = call.node.target
    positions = _DATA_ARGUMENTS[target]
    if any(isinstance(value, Complex | complex) for value in call.kwargs.values()):
        call.emitter.refuse("a complex argument given by name has no rule; give it by position")
    parts = []
    for index in (0, 1):
        mine = [
            part_of(call.emitter, value, index) if position in positions else value
            for position, value in enumerate(call.args)
        ]
        kwargs = _real_types(call.kwargs)
        part = on_boxes(call.emitter, target, mine, kwargs)
        if part is NotImplemented:
            part = call.emitter.call(_PLAIN.get(target, target), *mine, **kwargs)
        parts.append(part)
    return call.emitter.result(parts[0], parts[1])


def _pieces(call: Call) -> Any:
    """Cut both parts and pair their pieces."""
    cut = [
        call.emitter.call(call.node.target, call.args[0].part(index), *call.args[1:], **call.kwargs)
        for index in (0, 1)
    ]
    return tuple(
        Complex(
            call.emitter,
            parts=(
                call.emitter.call(python_operator.getitem, cut[0], index),
                call.emitter.call(python_operator.getitem, cut[1], index),
            ),
        )
        for index in range(len(cut[0].meta["val"]))
    )


complex_rule(*_DATA_ARGUMENTS)(_partwise)
complex_rule(*_MULTIPLE_OUTPUTS)(_pieces)


@complex_rule(python_operator.getitem)
def _getitem(call: Call) -> Any:
    return call.args[0][call.args[1]]


@complex_rule(aten.sym_size.int, aten.sym_storage_offset.default)
def _length(call: Call) -> Any:
    """Return a length, or what torch.export asserts of one that values of the input decide."""
    value = call.node.meta["val"]
    if isinstance(value, int):
        return value
    z, *axis = call.args
    rank = call.node.all_input_nodes[0].meta["val"].dim()
    return call.emitter.call(call.node.target, z.part(0), *(each % rank for each in axis))
