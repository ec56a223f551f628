"""Outputs that coremltools has no value of their own for."""

from __future__ import annotations

from typing import Any

import torch
from torch.export import ExportedProgram


def compute_outputs(program: ExportedProgram) -> None:
    """Multiply by 1 each output that is an input or another output as it is.

    coremltools has one name for a value, and copies none: for it a clone is what it was made of.
    """
    (output,) = program.graph.find_nodes(op="output")
    given: list[Any] = list(output.args[0])
    named = {node for node in program.graph.nodes if node.op == "placeholder"}
    for place, node in enumerate(given):
        if (value := _copied_from(node)) in named:
            with program.graph.inserting_before(output):
                given[place] = program.graph.call_function(torch.ops.aten.mul.Tensor, (node, 1))
            given[place].meta = dict(node.meta)
            program.graph_signature.output_specs[place].arg.name = given[place].name
        named.add(value)
    output.args = (tuple(given),)


def _copied_from(node: Any) -> Any:
    aten = torch.ops.aten
    while node.target in (aten.clone.default, aten.detach.default, aten.lift_fresh_copy.default):
        node = node.args[0]
    return node
