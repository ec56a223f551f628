"""float64 inside programs, for formats whose runtimes compute in float32 alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx.node import map_aggregate
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten


def in_single_precision(program: ExportedProgram) -> ExportedProgram:
    """Return ``program`` with float32 for float64, but of inputs; the proof says whether it does.

    It is for doubles that come of a constant of numpy's or of a cast between: in a program that has
    none it changes nothing.
    """
    if not any(map(_is_double, (node.meta.get("val") for node in program.graph.nodes))):
        return program
    program = program.run_decompositions({})  # a program of its own, functional
    specs = program.graph_signature.input_specs
    for node, spec in zip(program.graph.find_nodes(op="placeholder"), specs, strict=True):
        if spec.kind is InputKind.USER_INPUT or not _is_double(node.meta["val"]):
            continue
        node.meta["val"] = node.meta["val"].float()
        for stored in (program.state_dict, program.constants):
            if isinstance(tensor := stored.get(spec.target), Tensor):
                trained = isinstance(tensor, nn.Parameter)
                narrow = tensor.detach().float()
                stored[spec.target] = (
                    nn.Parameter(narrow, tensor.requires_grad) if trained else narrow
                )
    checked = aten._assert_tensor_metadata.default  # of types that are no more
    for node in program.graph.find_nodes(op="call_function", target=checked):
        program.graph.erase_node(node)
    for node in program.graph.nodes:
        node.args, node.kwargs = (
            map_aggregate(node.args, _single),
            map_aggregate(node.kwargs, _single),
        )
    program.graph_module.recompile()
    single: ExportedProgram = program.run_decompositions({})  # the types of all that follows
    return single


def _is_double(value: Any) -> bool:
    return any(isinstance(x, Tensor) and x.dtype == torch.float64 for x in tree_leaves(value))


def _single(argument: Any) -> Any:
    return torch.float32 if argument is torch.float64 else argument
