"""Numbers taken out of weights and constants: ``F.pad(x, (*self.margins,))``.

torch.export keeps them as symbols that the input might decide.  They are known, and so are the
shapes made of them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node
from torch.fx.node import map_aggregate

from affnet.export.fourier.rewrite.known_values import value_of

aten = torch.ops.aten

_ITEMS = (aten.item.default, aten._local_scalar_dense.default)
_CHECKS = (
    aten._assert_scalar.default,
    aten.sym_constrain_range.default,
    aten.sym_constrain_range_for_size.default,
)


def with_known_numbers(program: ExportedProgram) -> ExportedProgram:
    """Return ``program`` with the numbers of its weights written out.

    A program that takes none out of them is returned as it is.
    """
    if not _numbers(program):
        return program
    program = program.run_decompositions({})  # a program of its own
    numbers = _numbers(program)

    def number(argument: Any) -> Any:
        return numbers.get(argument, argument) if isinstance(argument, Node) else argument

    for node in list(program.graph.nodes):
        if not numbers.keys().isdisjoint(node.all_input_nodes):
            node.args = map_aggregate(node.args, number)
            node.kwargs = map_aggregate(node.kwargs, number)
            if node not in numbers and not node.all_input_nodes and _is_number(node):
                numbers[node] = node.target(*node.args, **node.kwargs)
        if node.target in _CHECKS and not node.all_input_nodes:
            program.graph.erase_node(node)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()
    known: ExportedProgram = program.run_decompositions({})  # with the shapes that they make
    return known


def _is_number(node: Node) -> bool:
    return isinstance(node.meta.get("val"), torch.SymInt | torch.SymFloat | torch.SymBool)


def _numbers(program: ExportedProgram) -> dict[Node, Any]:
    """Return the numbers that a program takes out of tensors that it always has."""
    items = [node for node in program.graph.nodes if node.target in _ITEMS]
    if not items:
        return {}
    changed = program.graph_signature.buffers_to_mutate.values()
    specs = program.graph_signature.input_specs
    stored: dict[str, Any] = {**program.constants, **program.state_dict}
    known: dict[Node, Any] = {}
    for node, spec in zip(program.graph.find_nodes(op="placeholder"), specs, strict=True):
        inputs = spec.kind is InputKind.USER_INPUT or spec.target in changed
        value = None if inputs or spec.target is None else stored.get(spec.target)
        known[node] = value if isinstance(value, Tensor) else None
    values = {node: value_of(node.all_input_nodes[0], known) for node in items}
    return {n: value.item() for n, value in values.items() if isinstance(value, Tensor)}
