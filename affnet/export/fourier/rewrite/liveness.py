"""Which elements of each value anything depends on, as a box: a set of indices for each axis.

A pass over the old graph from its end to its start.  What an operator is not known to leave aside
it reads; a box holds all that is read, and may hold more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import torch
from torch._ops import OpOverload
from torch.fx import Graph, Node

from affnet.export.fourier.rewrite import ranges
from affnet.export.fourier.rewrite.boxes import bounds
from affnet.export.fourier.rewrite.ranges import Ranges

aten = torch.ops.aten

#: The indices read of each axis of which not all are; an axis that is not named is read whole.
Box: TypeAlias = Mapping[int, Ranges]
#: What a node with a live box reads of each of its arguments.
Reads: TypeAlias = Iterator[tuple[Node, Box]]


def live_boxes(graph: Graph) -> dict[Node, Box]:
    """Return the live box of each node of which something is not read, or nothing is."""
    boxes: dict[Node, Box] = {}
    for node in reversed(graph.nodes):
        own = boxes.get(node, _nothing(node))
        if node.op == "output":
            own = {}
        elif not isinstance(node.meta.get("val"), torch.Tensor):
            own = {}  # several values, or none: an assertion
        seen = dict.fromkeys(node.all_input_nodes, False)
        for source, box in _reads(node, own):
            seen[source] = True
            _join(boxes, source, box)
        for source, was_seen in seen.items():
            if not was_seen:
                _join(boxes, source, {})
    return boxes


def _shape(node: Node) -> tuple[Any, ...]:
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()


def _nothing(node: Node) -> Box:
    return {axis: () for axis, length in enumerate(_shape(node)) if isinstance(length, int)}


def _join(boxes: dict[Node, Box], node: Node, box: Box) -> None:
    if node not in boxes:
        boxes[node] = _proper(node, box)
        return
    old = boxes[node]
    boxes[node] = _proper(
        node, {axis: ranges.united(old[axis], box[axis]) for axis in old if axis in box}
    )


def _proper(node: Node, box: Box) -> Box:
    """Leave out the axes that are read whole."""
    shape = _shape(node)
    return {axis: span for axis, span in box.items() if span != ranges.whole(shape[axis])}


def _reads(node: Node, own: Box) -> Reads:
    if node.target in _SAME:
        yield from _same(node, own)
    elif _is_pointwise(node):
        yield from _pointwise(node, own)
    elif node.target in _RULES and not node.kwargs:
        yield from _RULES[node.target](node, own)


def _is_pointwise(node: Node) -> bool:
    target = node.target
    return isinstance(target, OpOverload) and torch.Tag.pointwise in target.tags


def _pointwise(node: Node, own: Box) -> Reads:
    """Axes meet from the last one; one that is broadcast is read whole."""
    rank = len(_shape(node))
    for source in node.all_input_nodes:
        shape = _shape(source)
        offset = rank - len(shape)
        yield (
            source,
            {
                axis - offset: span
                for axis, span in own.items()
                if axis >= offset and str(shape[axis - offset]) == str(_shape(node)[axis])
            },
        )


def _same(node: Node, own: Box) -> Reads:
    """One argument of the result's axes; of the two, one may have a last axis more, its pair."""
    source = node.all_input_nodes[0]
    yield source, {axis: span for axis, span in own.items() if axis < len(_shape(source))}


def _axis(node: Node, position: int, rank: int) -> int:
    axis = node.args[position] if len(node.args) > position else 0
    assert isinstance(axis, int)
    return axis % rank


def _slice(node: Node, own: Box) -> Reads:
    source: Any = node.args[0]
    shape = _shape(source)
    axis = _axis(node, 1, len(shape))
    arguments: Any = [*node.args[2:], None, None, None]
    span = bounds(shape[axis], arguments[0], arguments[1])
    box = {other: its for other, its in own.items() if other != axis}
    if span is not None and arguments[2] in (None, 1):
        inside = own.get(axis, ranges.whole(span[1] - span[0]))
        box[axis] = ranges.shifted(inside, span[0])
    yield source, box


def _select(node: Node, own: Box) -> Reads:
    source: Any = node.args[0]
    shape = _shape(source)
    axis, index = _axis(node, 1, len(shape)), node.args[2]
    box = {other + (other >= axis): span for other, span in own.items()}
    if isinstance(index, int) and isinstance(shape[axis], int):
        box[axis] = ((index % shape[axis], index % shape[axis] + 1),)
    yield source, box


def _slice_scatter(node: Node, own: Box) -> Reads:
    base: Any = node.args[0]
    source: Any = node.args[1]
    shape = _shape(base)
    axis = _axis(node, 2, len(shape))
    arguments: Any = [*node.args[3:], None, None, None]
    span = bounds(shape[axis], arguments[0], arguments[1])
    if span is None or arguments[2] not in (None, 1):
        yield base, own
        return
    inside = own.get(axis, ranges.whole(shape[axis]))
    yield base, {**own, axis: ranges.without(inside, *span)}
    yield source, {**own, axis: ranges.within(inside, *span)}


def _select_scatter(node: Node, own: Box) -> Reads:
    base: Any = node.args[0]
    source: Any = node.args[1]
    shape = _shape(base)
    axis, index = _axis(node, 2, len(shape)), node.args[3]
    yield source, {other - (other > axis): span for other, span in own.items() if other != axis}
    if not isinstance(index, int) or not isinstance(shape[axis], int):
        yield base, own
        return
    inside = own.get(axis, ranges.whole(shape[axis]))
    at = index % shape[axis]
    yield base, {**own, axis: ranges.without(inside, at, at + 1)}


def _pad(node: Node, own: Box) -> Reads:
    source: Any = node.args[0]
    amounts: Any = node.args[1]
    shape = _shape(source)
    box = dict(own)
    for place, (before, after) in enumerate(zip(amounts[::2], amounts[1::2], strict=True)):
        axis = len(shape) - 1 - place
        length = shape[axis]
        if before == 0 == after:
            continue
        box.pop(axis, None)
        if all(isinstance(number, int) for number in (before, after, length)):
            inside = own.get(axis, ranges.whole(length + before + after))
            first = max(0, -before)
            read = ranges.within(inside, before + first, before + length + min(0, after))
            box[axis] = ranges.shifted(read, first)
    yield source, box


def _cat(node: Node, own: Box) -> Reads:
    tensors: Any = node.args[0]
    axis = _axis(node, 1, len(_shape(node)))
    start = 0
    for source in tensors:
        shape = _shape(source)
        box = {other: span for other, span in own.items() if other != axis}
        if not isinstance(start, int) or not isinstance(shape[axis], int):
            start = None  # type: ignore[assignment]
        else:
            if axis in own:
                box[axis] = ranges.within(own[axis], start, start + shape[axis])
            start += shape[axis]
        yield source, box


def _roll(node: Node, own: Box) -> Reads:
    source: Any = node.args[0]
    shifts: Any = node.args[1]
    axes: Any = node.args[2] if len(node.args) > 2 else ()
    if not axes:
        yield source, {}
        return
    box = dict(own)
    for shift, axis in zip(shifts, axes, strict=True):
        axis %= len(_shape(source))
        if axis not in box:
            continue
        length = _shape(source)[axis]
        if not isinstance(shift, int):
            del box[axis]
            continue
        at = shift % length
        box[axis] = ranges.united(
            ranges.within(box[axis], at, length),
            ranges.shifted(ranges.within(box[axis], 0, at), length - at),
        )
    yield source, box


def _permute(node: Node, own: Box) -> Reads:
    source: Any = node.args[0]
    order: Any = node.args[1]
    yield source, {order[axis] % len(order): span for axis, span in own.items()}


def _transpose(node: Node, own: Box) -> Reads:
    source: Any = node.args[0]
    rank = len(_shape(source))
    one, other = _axis(node, 1, rank), _axis(node, 2, rank)
    swapped = {one: other, other: one}
    yield source, {swapped.get(axis, axis): span for axis, span in own.items()}


def _unsqueeze(node: Node, own: Box) -> Reads:
    source: Any = node.args[0]
    at = _axis(node, 1, len(_shape(node)))
    yield source, {axis - (axis > at): span for axis, span in own.items() if axis != at}


def _transformed(node: Node, own: Box) -> Reads:
    source: Any = node.args[0]
    rank = len(_shape(source))
    axes: Any = node.args[1]
    over = {axis % rank for axis in axes}
    yield source, {axis: span for axis, span in own.items() if axis not in over}


def _einsum(node: Node, own: Box) -> Reads:
    """What is read of a letter of the output is read of it in every term."""
    equation: Any = node.args[0]
    operands: Any = node.args[1]
    terms, arrow, output = equation.replace(" ", "").partition("->")
    if not arrow or "." in equation:
        return
    spans = {output[axis]: span for axis, span in own.items()}
    for source, term in zip(operands, terms.split(","), strict=True):
        yield (
            source,
            {
                axis: spans[letter]
                for axis, letter in enumerate(term)
                if letter in spans and str(_shape(source)[axis]) == _length(node, output, letter)
            },
        )


def _length(node: Node, output: str, letter: str) -> str:
    return str(_shape(node)[output.index(letter)])


#: Those that read of their argument what is read of their result, though not all are pointwise.
_SAME = {
    aten.clone.default,
    aten.alias.default,
    aten.real.default,
    aten.imag.default,
    aten.abs.default,
    aten._conj.default,
    aten._neg_view.default,
    aten.view_as_real.default,
    aten.view_as_complex.default,
    aten.resolve_conj.default,
    aten.resolve_neg.default,
    aten._to_copy.default,
}

_RULES: dict[Any, Callable[[Node, Box], Reads]] = {
    aten.slice.Tensor: _slice,
    aten.select.int: _select,
    aten.slice_scatter.default: _slice_scatter,
    aten.select_scatter.default: _select_scatter,
    aten.constant_pad_nd.default: _pad,
    aten.cat.default: _cat,
    aten.roll.default: _roll,
    aten.permute.default: _permute,
    aten.transpose.int: _transpose,
    aten.unsqueeze.default: _unsqueeze,
    aten.einsum.default: _einsum,
    aten._fft_r2c.default: _transformed,
    aten._fft_c2r.default: _transformed,
    aten._fft_c2c.default: _transformed,
}
