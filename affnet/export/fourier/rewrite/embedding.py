"""Tensors that are zero outside a box, of which only the box is computed.

A transform of which nine bins are asked for gives those nine, and a spectrum of zeros that nine
bins are written into is those nine: each is a ``core`` and, for each axis that it does not fill,
the indices where it stands.  The whole tensor, with its zeros, is in the graph as well, for what
knows nothing of cores; where nobody asks for it, it falls away as dead code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch.fx import Node

from affnet.export.fourier.rewrite import ranges
from affnet.export.fourier.rewrite.ranges import Ranges

if TYPE_CHECKING:
    from affnet.export.fourier.rewrite.emitter import Emitter

aten = torch.ops.aten


@dataclass(frozen=True)
class Embedding:
    """A tensor that is ``core`` at the indices ``spans`` of some axes, and zero elsewhere.

    Without a core it is zero throughout.
    """

    core: Node | None
    spans: Mapping[int, Ranges] = field(default_factory=dict)

    def span(self, axis: int, length: int) -> Ranges:
        """Return the indices of ``axis``, of that length, at which the core stands."""
        return self.spans.get(axis, ranges.whole(length))


def is_embedded(emitter: Emitter, value: object) -> bool:
    """Return whether ``value`` is a node that is known to be zero outside a box."""
    return isinstance(value, Node) and value in emitter.embeddings


def embedding(emitter: Emitter, node: Node) -> Embedding:
    """Return what is known of ``node``; any is its own core."""
    return emitter.embeddings.get(node, Embedding(node))


def length_of(node: Node, axis: int) -> int:
    """Return the length of an axis, which must be fixed."""
    length = node.meta["val"].shape[axis]
    assert isinstance(length, int)
    return length


def zeros(emitter: Emitter, like: torch.Tensor) -> Node:
    """Return zeros in shape and type of the fake tensor ``like``."""
    node = emitter.call(
        aten.full.default, emitter.sizes(like), 0.0, dtype=like.dtype, device=like.device
    )
    emitter.embeddings[node] = Embedding(None)
    return node


def embedded(emitter: Emitter, core: Node, spans: Mapping[int, tuple[Ranges, int]]) -> Node:
    """Return the tensor of ``core`` at the indices of each axis in ``spans``, with its length."""
    left = {
        axis: (span, length)
        for axis, (span, length) in spans.items()
        if span != ranges.whole(length)
    }
    if not left:
        return core
    node, amounts = core, [0] * (2 * core.meta["val"].dim())
    for axis, (span, length) in left.items():
        if len(span) > 1:
            node = spread(emitter, node, axis, span, 0, length)
        else:  # all in one operator
            behind = core.meta["val"].dim() - 1 - axis
            amounts[2 * behind : 2 * behind + 2] = [span[0][0], length - span[0][1]]
    if any(amounts):
        node = emitter.call(aten.constant_pad_nd.default, node, amounts)
    emitter.embeddings[node] = Embedding(core, {axis: span for axis, (span, _) in left.items()})
    return node


def spread(emitter: Emitter, x: Node, axis: int, span: Ranges, start: int, stop: int) -> Node:
    """Return ``x``, which holds the indices ``span`` of an axis, from ``start`` to ``stop``."""
    if span == ((start, stop),):
        return x
    pieces, end = [], start
    for number, (a, b) in enumerate(span):
        at = ranges.position(span, a)
        piece = x if len(span) == 1 else _slice(emitter, x, axis, at, at + b - a)
        after = stop - b if number == len(span) - 1 else 0
        pieces.append(_padded(emitter, piece, axis, a - end, after))
        end = b
    if len(pieces) == 1:
        return pieces[0]
    return emitter.call(aten.cat.default, pieces, axis)


def picked(emitter: Emitter, x: Node, axis: int, span: Ranges, start: int, stop: int) -> Node:
    """Return the indices ``span`` of ``x``, which holds those from ``start`` to ``stop``."""
    if span == ((start, stop),):
        return x
    pieces = [_slice(emitter, x, axis, a - start, b - start) for a, b in span]
    return pieces[0] if len(pieces) == 1 else emitter.call(aten.cat.default, pieces, axis)


def _slice(emitter: Emitter, x: Node, axis: int, start: int, stop: int) -> Node:
    if start == 0 and stop == length_of(x, axis):
        return x
    return emitter.call(aten.slice.Tensor, x, axis, start, stop)


def _padded(emitter: Emitter, x: Node, axis: int, before: int, after: int) -> Node:
    if not before and not after:
        return x
    behind = x.meta["val"].dim() - 1 - axis
    return emitter.call(aten.constant_pad_nd.default, x, [0, 0] * behind + [before, after])


def cut(emitter: Emitter, node: Node, axis: int, start: int, stop: int) -> Node:
    """Return the indices ``start`` to ``stop`` of an axis."""
    value, length = embedding(emitter, node), length_of(node, axis)
    if (start, stop) == (0, length):
        return node
    span = ranges.within(value.span(axis, length), start, stop)
    if value.core is None or not span:
        shape = emitter.evaluate(aten.slice.Tensor, (node, axis, start, stop), {})
        return zeros(emitter, shape)
    full = value.span(axis, length)
    at = ranges.position(full, start), ranges.position(full, stop)
    core = _slice(emitter, value.core, axis, *at)
    spans = {other: (its, length_of(node, other)) for other, its in value.spans.items()}
    if axis in spans:
        spans[axis] = span, stop - start
    return embedded(emitter, core, spans)


def join(emitter: Emitter, nodes: Sequence[Node], axis: int) -> Node:
    """Return the concatenation of ``nodes`` along an axis."""
    if len(nodes) == 1:
        return nodes[0]
    values = [embedding(emitter, node) for node in nodes]
    if not any(is_embedded(emitter, node) for node in nodes):
        return emitter.call(aten.cat.default, list(nodes), axis)
    present = [(n, v, v.core) for n, v in zip(nodes, values, strict=True) if v.core is not None]
    if not present:
        return zeros(emitter, emitter.evaluate(aten.cat.default, (list(nodes), axis), {}))
    others = {other for _, value, _ in present for other in value.spans if other != axis}
    spans = {}
    for other in sorted(others):
        length = length_of(present[0][0], other)
        span = ranges.united(*(value.span(other, length) for _, value, _ in present))
        spans[other] = span, length
    cores = [
        reduce(
            lambda core, other: _aligned(
                emitter, core, other, value.span(other, spans[other][1]), spans[other][0]
            ),
            spans,
            core,
        )
        for _, value, core in present
    ]
    offsets = _offsets(nodes, axis)
    span = ranges.united(
        *(
            ranges.shifted(value.span(axis, length_of(node, axis)), offset)
            for node, value, offset in zip(nodes, values, offsets, strict=False)
            if value.core is not None
        )
    )
    core = cores[0] if len(cores) == 1 else emitter.call(aten.cat.default, cores, axis)
    return embedded(emitter, core, {**spans, axis: (span, offsets[-1])})


def _offsets(nodes: Sequence[Node], axis: int) -> list[int]:
    """Return where each of ``nodes`` begins along an axis, and where the last one ends."""
    offsets = [0]
    for node in nodes:
        offsets.append(offsets[-1] + length_of(node, axis))
    return offsets


def _aligned(emitter: Emitter, core: Node, axis: int, have: Ranges, want: Ranges) -> Node:
    """Return a core that stands at ``have`` as one that stands at ``want``, which holds more."""
    if have == want:
        return core
    at = [(ranges.position(want, a), ranges.position(want, b)) for a, b in have]
    return spread(
        emitter, core, axis, ranges.united(*((span,) for span in at)), 0, ranges.count(want)
    )


def padded(emitter: Emitter, node: Node, spans: Mapping[int, tuple[int, int]]) -> Node:
    """Return ``node`` between zeros: from an index of each axis in ``spans``, of a new length."""
    value = embedding(emitter, node)
    if value.core is None:
        behind = node.meta["val"].dim() - 1
        amounts = [0] * (2 * behind + 2)
        for axis, (start, length) in spans.items():
            after = length - start - length_of(node, axis)
            amounts[2 * (behind - axis) : 2 * (behind - axis) + 2] = [start, after]
        return zeros(emitter, emitter.evaluate(aten.constant_pad_nd.default, (node, amounts), {}))
    found = {axis: (span, length_of(node, axis)) for axis, span in value.spans.items()}
    for axis, (start, length) in spans.items():
        found[axis] = ranges.shifted(value.span(axis, length_of(node, axis)), start), length
    return embedded(emitter, value.core, found)


def permuted(emitter: Emitter, node: Node, order: Sequence[int]) -> Node:
    """Return ``node`` with its axes in another order."""
    value = emitter.embeddings[node]
    if value.core is None:
        return zeros(emitter, emitter.evaluate(aten.permute.default, (node, list(order)), {}))
    core = emitter.call(aten.permute.default, value.core, list(order))
    spans = {order.index(axis): (span, length_of(node, axis)) for axis, span in value.spans.items()}
    return embedded(emitter, core, spans)
