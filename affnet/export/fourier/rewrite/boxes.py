"""Operators that pick, join or write boxes, on tensors that are zero outside a box.

A slice of zeros is fewer zeros, and a slice written into zeros is no scatter: see `embedding`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.fx import Node

from affnet.export.fourier.rewrite.embedding import (
    cut,
    embedded,
    is_embedded,
    join,
    length_of,
    padded,
    permuted,
    zeros,
)
from affnet.export.fourier.rewrite.emitter import Emitter

aten = torch.ops.aten


def on_boxes(emitter: Emitter, target: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Return the result of an operator on real tensors, NotImplemented where it has no rule here.

    It has none where no argument is known to be zero anywhere, but for what writes slices.
    """
    rule = _RULES.get(target)
    if rule is None or (kwargs and target is not aten.clone.default):
        return NotImplemented
    nodes = [
        value
        for arg in args
        for value in (arg if isinstance(arg, list | tuple) else (arg,))
        if isinstance(value, Node) and isinstance(value.meta["val"], torch.Tensor)
    ]
    is_new = target in _WRITES or any(is_embedded(emitter, node) for node in nodes)
    return rule(emitter, *args) if is_new else NotImplemented


def bounds(length: Any, start: Any, stop: Any) -> tuple[int, int] | None:
    """Return a slice's range among the indices of an axis, None if it is not fixed."""
    if not all(isinstance(value, int | None) for value in (length, start, stop)):
        return None
    first, last, _ = slice(start, stop).indices(length)
    return first, max(first, last)


def _slice(
    emitter: Emitter, x: Node, axis: int = 0, start: Any = None, stop: Any = None, step: Any = 1
) -> Any:
    axis %= x.meta["val"].dim()
    span = bounds(x.meta["val"].shape[axis], start, stop)
    return NotImplemented if span is None or step != 1 else cut(emitter, x, axis, *span)


def _select(emitter: Emitter, x: Node, axis: int, index: Any) -> Any:
    axis %= x.meta["val"].dim()
    length = x.meta["val"].shape[axis]
    if not isinstance(index, int) or not isinstance(length, int):
        return NotImplemented
    index %= length
    one = cut(emitter, x, axis, index, index + 1)
    if not is_embedded(emitter, one):
        return emitter.call(aten.select.int, one, axis, 0)
    value = emitter.embeddings[one]
    if value.core is None:
        return zeros(emitter, emitter.evaluate(aten.select.int, (one, axis, 0), {}))
    return NotImplemented


def _write(
    emitter: Emitter,
    x: Node,
    source: Node,
    axis: int = 0,
    start: Any = None,
    stop: Any = None,
    step: Any = 1,
) -> Any:
    """Put ``source`` in the place of a slice."""
    fake = x.meta["val"]
    axis %= fake.dim()
    span = bounds(fake.shape[axis], start, stop)
    if span is None or step != 1 or source.meta["val"].dtype != fake.dtype:
        return NotImplemented
    around = [(0, span[0]), span, (span[1], fake.shape[axis])]
    pieces = [
        source if piece is span else cut(emitter, x, axis, *piece)
        for piece in around
        if piece[1] > piece[0]
    ]
    return join(emitter, pieces, axis)


def _write_one(emitter: Emitter, x: Node, source: Node, axis: int, index: Any) -> Any:
    """Put ``source`` in the place of one index."""
    axis %= x.meta["val"].dim()
    length = x.meta["val"].shape[axis]
    if not isinstance(index, int) or not isinstance(length, int):
        return NotImplemented
    one = emitter.call(aten.unsqueeze.default, source, axis)
    return _write(emitter, x, one, axis, index % length, index % length + 1)


def _pad(emitter: Emitter, x: Node, amounts: Sequence[Any], value: Any = 0) -> Any:
    """Put zeros around a tensor; a negative amount cuts."""
    rank = x.meta["val"].dim()
    if value != 0 or not all(isinstance(amount, int) for amount in amounts):
        return NotImplemented
    spans = {}
    for place, (before, after) in enumerate(zip(amounts[::2], amounts[1::2], strict=True)):
        axis = rank - 1 - place
        if before == 0 == after:
            continue
        if not isinstance(x.meta["val"].shape[axis], int):
            return NotImplemented
        x = cut(emitter, x, axis, max(0, -before), length_of(x, axis) + min(0, after))
        spans[axis] = max(0, before), length_of(x, axis) + max(0, before) + max(0, after)
    return padded(emitter, x, spans)


def _cat(emitter: Emitter, tensors: Sequence[Node], axis: int = 0) -> Any:
    fakes = [node.meta["val"] for node in tensors]
    axis %= fakes[0].dim()
    if len({fake.dtype for fake in fakes}) > 1 or len({fake.dim() for fake in fakes}) > 1:
        return NotImplemented
    if not all(isinstance(fake.shape[axis], int) for fake in fakes):
        return NotImplemented
    return join(emitter, tensors, axis)


def _roll(emitter: Emitter, x: Node, shifts: Sequence[Any], axes: Sequence[int] = ()) -> Any:
    if len(axes) != len(shifts):
        return NotImplemented
    for shift, axis in zip(shifts, axes, strict=True):
        axis %= x.meta["val"].dim()
        length = x.meta["val"].shape[axis]
        if not isinstance(shift, int) or not isinstance(length, int):
            return NotImplemented
        if length and (at := -shift % length):
            pieces = cut(emitter, x, axis, at, length), cut(emitter, x, axis, 0, at)
            x = join(emitter, pieces, axis)
    return x


def _transpose(emitter: Emitter, x: Node, one: int, other: int) -> Node:
    rank = x.meta["val"].dim()
    order = list(range(rank))
    order[one % rank], order[other % rank] = other % rank, one % rank
    return permuted(emitter, x, order)


def _permute(emitter: Emitter, x: Node, order: Sequence[int]) -> Node:
    return permuted(emitter, x, [axis % len(order) for axis in order])


def _unsqueeze(emitter: Emitter, x: Node, axis: int) -> Node:
    value, rank = emitter.embeddings[x], x.meta["val"].dim()
    axis %= rank + 1
    if value.core is None:
        return zeros(emitter, emitter.evaluate(aten.unsqueeze.default, (x, axis), {}))
    core = emitter.call(aten.unsqueeze.default, value.core, axis)
    spans = {
        each + (each >= axis): (span, length_of(x, each)) for each, span in value.spans.items()
    }
    return embedded(emitter, core, spans)


def _same(_: Emitter, x: Node) -> Node:
    return x


_WRITES = {aten.slice_scatter.default, aten.select_scatter.default, aten.constant_pad_nd.default}

_RULES: dict[Any, Callable[..., Any]] = {
    aten.slice.Tensor: _slice,
    aten.select.int: _select,
    aten.slice_scatter.default: _write,
    aten.select_scatter.default: _write_one,
    aten.constant_pad_nd.default: _pad,
    aten.cat.default: _cat,
    aten.roll.default: _roll,
    aten.transpose.int: _transpose,
    aten.permute.default: _permute,
    aten.unsqueeze.default: _unsqueeze,
    aten.clone.default: _same,
    aten.alias.default: _same,
}
