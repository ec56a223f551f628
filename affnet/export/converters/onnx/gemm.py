"""Fully connected layers without Gemm, for float16."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx


def split_gemms(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return ``model`` with each plain Gemm of constant weights as a product and a sum.

    Before and after::

        x -> Gemm(W, b) -> y        x -> MatMul(W) -> Add(b) -> y

    tract, which computes float16 in float16, refuses its own result of a Gemm of that type: the
    product is of float32 there.
    """
    import onnx

    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {tensor.name: tensor for tensor in result.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in result.graph.node:
        nodes += _split(node, constants) if _is_plain(node, constants) else [node]
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    result.graph.initializer.extend(t for name, t in constants.items() if name in used)
    return result


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    import onnx

    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


def _is_plain(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    if node.op_type != "Gemm" or node.input[1] not in constants:
        return False
    given = _attributes(node)
    return not given.get("transA") and given.get("alpha", 1) == given.get("beta", 1) == 1


def _split(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> list[onnx.NodeProto]:
    """Return the nodes in place of a Gemm; its weights are transposed under another name."""
    from onnx import helper, numpy_helper

    x, weights, *bias = node.input
    (y,) = node.output
    if _attributes(node).get("transB"):
        values = np.ascontiguousarray(numpy_helper.to_array(constants[weights]).T)
        weights += "_transposed"
        constants[weights] = numpy_helper.from_array(values, weights)
    if not bias:
        return [helper.make_node("MatMul", [x, weights], [y], node.name)]
    product = f"{y}_product"
    return [
        helper.make_node("MatMul", [x, weights], [product], f"{node.name}_product"),
        helper.make_node("Add", [product, bias[0]], [y], node.name),
    ]
