"""Constants in the place of what depends on weights alone, computed once.

A file would compute them at every inference; and most formats lack operators that such parts have,
of linear algebra above all.
"""

from __future__ import annotations

import hashlib

import torch
from torch._ops import OpOverload
from torch.fx import Node

from affnet.export.fourier.rewrite.emitter import Emitter
from affnet.export.fourier.rewrite.known_values import known_value

aten = torch.ops.aten

#: A constant may be larger than the weights that it is computed from up to this, in bytes.
_SMALL = 1 << 20
#: From this many on, equal numbers are left to the operator that makes them.
_MANY = 256

#: What lays numbers out anew, and computes nothing: converters know it beside a weight.
_LAYOUTS = frozenset(
    (
        *(aten.view.default, aten.reshape.default, aten._unsafe_view.default, aten.clone.default),
        *(aten.permute.default, aten.transpose.int, aten.t.default, aten.alias.default),
        *(aten.unsqueeze.default, aten.squeeze.dim, aten.squeeze.dims, aten.squeeze.default),
        *(aten.slice.Tensor, aten.select.int, aten.expand.default, aten.repeat.default),
    )
)


def fold_known(emitter: Emitter) -> None:
    """Replace what of the new graph has one value whatever the inputs are, where others use it."""
    nodes: list[Node] = list(emitter.graph.nodes)
    for node in nodes[:-1]:  # the last is the output, whose names are written down
        known = {source for source in node.all_input_nodes if _is_known(emitter, source)}
        if known and not _is_known(emitter, node):
            for source in known:
                _fold(emitter, source)
    emitter.graph.eliminate_dead_code()


def _is_known(emitter: Emitter, node: Node) -> bool:
    return known_value(emitter, node) is not None


def _is_made_of_sizes(node: Node) -> bool:
    """Return whether a node only fills or counts; converters know no product of two numbers."""
    takes_tensor = any(str(each.type) == "Tensor" for each in node.target._schema.arguments)  # type: ignore[union-attr]
    return not node.all_input_nodes and not takes_tensor


def _fold(emitter: Emitter, node: Node) -> None:
    """Replace ``node``, or what it lays out anew."""
    while node.target in _LAYOUTS:
        node = node.all_input_nodes[0]
    value = known_value(emitter, node)
    if value is None or not isinstance(node.target, OpOverload) or _is_made_of_sizes(node):
        return
    order = sorted(range(value.dim()), key=value.stride, reverse=True)
    if not value.permute(order).is_contiguous():
        for source in node.all_input_nodes:
            _fold(emitter, source)
        return
    size = value.numel() * value.element_size()
    if size > _SMALL and size > _bytes_of_weights(emitter, node):
        return
    value = value.detach().permute(order)
    if value.numel() > _MANY and bool((value == value.reshape(-1)[0]).all()):
        return
    content = hashlib.sha256(
        value.cpu().reshape(-1).view(torch.uint8).numpy().tobytes()
    ).hexdigest()
    shape = "x".join(map(str, value.shape))
    name = f"known_{str(value.dtype).removeprefix('torch.')}_{shape}_{content[:16]}"
    constant = emitter.constant(name, lambda: value.clone())
    if order != sorted(order):  # of others' strides those of all that follows are made
        emitter.source = node
        with emitter.graph.inserting_before(node):
            back = [order.index(axis) for axis in range(len(order))]
            constant = emitter.call(aten.permute.default, constant, back)
    node.replace_all_uses_with(constant)


def _bytes_of_weights(emitter: Emitter, node: Node) -> int:
    """Return the size of the placeholders that ``node`` is computed from."""
    found, pending = set(), [node]
    while pending:
        for source in pending.pop().all_input_nodes:
            if source not in found:
                found.add(source)
                pending.append(source)
    weights = [emitter.known[source] for source in found if source.op == "placeholder"]
    return sum(value.numel() * value.element_size() for value in weights if value is not None)
