"""Which part of the network each node of an ONNX model belongs to."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from affnet.export.quantization.layers import Kept, part_of

if TYPE_CHECKING:
    import onnx

#: What is quantized: the products, and what stands between them, so that activations stay in 8
#: bits; and what `part_of` calls each.
KINDS = {
    "Add": "add", "Concat": "cat", "Conv": "conv", "Gemm": "linear", "MatMul": "matmul",
    "Mul": "mul", "Sigmoid": "sigmoid",
}  # fmt: skip
_PRODUCTS = ("Conv", "Gemm", "MatMul")
_SCOPES = "pkg.torch.onnx.name_scopes"


def modules_of(model: onnx.ModelProto) -> dict[str, str]:
    """Return, by the name of an operator's output, the module that called it.

    torch's exporter writes it; onnxsim drops it, but keeps the names of outputs.
    """
    modules = {}
    for node in model.graph.node:
        scopes = {entry.key: entry.value for entry in node.metadata_props}.get(_SCOPES)
        if scopes is not None and node.output:
            *parents, _ = ast.literal_eval(scopes)
            modules[node.output[0]] = parents[-1] if parents else ""
    return modules


def parts_of(model: onnx.ModelProto, modules: Mapping[str, str]) -> dict[str, str]:
    """Return the part of each node, by its name, which it must have; in the nodes' order."""
    return {
        node.name: part_of(found[0], KINDS.get(node.op_type, node.op_type))
        for node, found in _with_modules(model, modules)
    }


def kept_nodes(model: onnx.ModelProto, modules: Mapping[str, str], kept: Kept) -> list[str]:
    """Return the names of the nodes that stay in float."""
    return [
        node.name
        for node, found in _with_modules(model, modules)
        if kept.keeps(found, KINDS.get(node.op_type, node.op_type))
    ]


def _with_modules(
    model: onnx.ModelProto, modules: Mapping[str, str]
) -> Iterator[tuple[onnx.NodeProto, list[str]]]:
    """Yield each node with its modules: that of its result, and those whose weights it has.

    Simplifying gives products results of other names, and moves a reshape behind what follows;
    other nodes without a known name are of the module that takes their result.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    known = dict(modules)
    for node in reversed(model.graph.node):
        module = known.get(node.output[0])
        if module is not None:
            known |= {value: module for value in node.input if value not in known}
    for node in model.graph.node:
        own = [name for name in node.input if name in weights]
        of_weights = [modules.get(name) or name.rpartition(".")[0] for name in own]
        names = modules if own and node.op_type in _PRODUCTS else known
        yield node, [names.get(node.output[0], ""), *filter(None, of_weights)]
