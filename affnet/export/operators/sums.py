"""Sums of a multiple: ``torch.add(x, y, alpha=2)``, which some converters take for ``x + y``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Graph, Node

aten = torch.ops.aten

#: The place of what is multiplied.
_MULTIPLIED = {
    aten.add.Tensor: 1,
    aten.add.Scalar: 1,
    aten.sub.Tensor: 1,
    aten.sub.Scalar: 1,
    aten.rsub.Tensor: 0,
    aten.rsub.Scalar: 0,
}
_SWAPPED: dict[Any, Any] = {aten.add.Tensor: aten.add.Tensor, aten.sub.Tensor: aten.rsub.Scalar}


def with_products_apart(program: ExportedProgram) -> ExportedProgram:
    """Return ``program`` with the products in its sums apart, and tensors before numbers."""
    for node in list(program.graph.nodes):
        if (place := _MULTIPLIED.get(node.target)) is None:
            continue
        given = list(node.args)
        factor = given.pop() if len(given) > 2 else node.kwargs.get("alpha", 1)
        if factor != 1:
            with program.graph.inserting_before(node):
                given[place] = _product(program.graph, given[place], factor, node)
        if not isinstance(given[0], Node) and node.target in _SWAPPED:
            given.reverse()
            node.target = _SWAPPED[node.target]
        node.args = tuple(given)
        node.kwargs = {name: value for name, value in node.kwargs.items() if name != "alpha"}
    program.graph_module.recompile()
    return program


def _product(graph: Graph, given: Any, factor: float, node: Node) -> Any:
    if not isinstance(given, Node):
        return given * factor
    product = graph.call_function(aten.mul.Tensor, (given, factor))
    product.meta = {
        key: node.meta[key] for key in ("stack_trace", "nn_module_stack") if key in node.meta
    }
    value = given.meta["val"]
    if isinstance(value, Tensor):
        with value.fake_mode:  # type: ignore[attr-defined]
            product.meta["val"] = value * factor
    return product
