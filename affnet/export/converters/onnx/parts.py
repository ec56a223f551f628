"""Which part of the network each node of an ONNX model belongs to."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING

from affnet.export.quantization.layers import part_of

if TYPE_CHECKING:
    import onnx

#: What is quantized: the products, and what stands between them, so that activations stay in 8
#: bits; and what `part_of` calls each.
KINDS = {
    "Add": "add", "Concat": "cat", "Conv": "conv", "Gemm": "linear", "MatMul": "matmul",
    "Mul": "mul", "Sigmoid": "sigmoid",
}  # fmt: skip
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
        node.name: part_of(modules.get(node.output[0], ""), KINDS.get(node.op_type, node.op_type))
        for node in model.graph.node
    }
