"""Numbers taken out of a tensor of one, as tensors: ``x.clamp(min=x.max().item() - 80)``.

torch.export keeps such a number as a symbol, of which a converter knows nothing.  Where all that
is made of it ends in operators that take a tensor in its place, it stays one.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, Node
from torch.fx.node import map_aggregate

aten = torch.ops.aten

_ITEMS = (aten.item.default, aten._local_scalar_dense.default)
_ARITHMETIC: dict[Any, Any] = {
    operator.add: aten.add.Tensor,
    operator.sub: aten.sub.Tensor,
    operator.mul: aten.mul.Tensor,
    operator.truediv: aten.div.Tensor,
    operator.neg: aten.neg.default,
}
_CLAMPS: dict[Any, Any] = {
    aten.clamp.default: aten.clamp.Tensor,
    aten.clamp_max.default: aten.clamp_max.Tensor,
    aten.clamp_min.default: aten.clamp_min.Tensor,
}
_TAKEN: dict[Any, Any] = {
    **_CLAMPS,
    **{
        form: packet.Tensor
        for packet in (aten.mul, aten.div, aten.add, aten.sub, aten.gt, aten.ge, aten.lt, aten.le)
        for form in (packet.Scalar, packet.Tensor)
    },
    aten.masked_fill.Scalar: aten.masked_fill.Tensor,
}


def numbers_as_tensors(program: ExportedProgram) -> ExportedProgram:
    """Return ``program`` with its numbers as tensors, if all that takes them takes tensors too."""
    numbers: set[Node] = set()
    for node in program.graph.nodes:
        taken = numbers.intersection(node.all_input_nodes)
        is_item = node.target in _ITEMS and isinstance(node.meta.get("val"), torch.SymFloat)
        if is_item or (taken and node.target in _ARITHMETIC):
            numbers.add(node)
        elif taken and node.target not in _TAKEN:
            return program
    tensors: dict[Node, Node] = {}
    for node in list(program.graph.nodes) if numbers else ():
        with program.graph.inserting_before(node):
            if node in numbers:
                tensors[node] = _tensor_of(program.graph, node, tensors)
            elif numbers.intersection(node.all_input_nodes):
                arguments = node.args
                if node.target in _CLAMPS:
                    arguments = (node.args[0], *(_bound(program.graph, b) for b in node.args[1:]))
                node.target = _TAKEN[node.target]
                node.args = _with(tensors, arguments)
                node.kwargs = _with(tensors, node.kwargs)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program


def _tensor_of(graph: Graph, node: Node, tensors: dict[Node, Node]) -> Node:
    """Return the tensor that holds a number: an item's own, or what is computed of such."""
    if node.target in _ITEMS:
        (source,) = node.all_input_nodes
        value = source.meta["val"]
        return source if value.dim() == 0 else _call(graph, aten.view.default, source, [])
    arguments = _with(tensors, node.args)
    return _call(graph, _ARITHMETIC[node.target], *(_bound(graph, each) for each in arguments))


def _bound(graph: Graph, number: Any) -> Any:
    """Return a number as a tensor, None for an infinite one."""
    if not isinstance(number, int | float):
        return number
    return _call(graph, aten.full.default, [], float(number)) if math.isfinite(number) else None


def _call(graph: Graph, target: Any, *arguments: Any) -> Node:
    def fake(argument: Any) -> Any:
        return argument.meta["val"] if isinstance(argument, Node) else argument

    node = graph.call_function(target, arguments)
    node.meta["val"] = target(*map_aggregate(arguments, fake))
    return node


def _with(tensors: dict[Node, Node], arguments: Any) -> Any:
    return map_aggregate(arguments, lambda a: tensors.get(a, a) if isinstance(a, Node) else a)
