"""Which nodes of an ONNX graph are put into 8 bits, and what others read beside them."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from affnet.export.converters.onnx.parts import kept_nodes
from affnet.export.converters.onnx.shared_values import join_values, part_values
from affnet.export.quantization.layers import KeptModules

FLOAT = onnx.TensorProto.FLOAT


def model(nodes: list[onnx.NodeProto], weights: list[str], outputs: list[str]) -> onnx.ModelProto:
    generator = np.random.default_rng(0)
    tensors = [
        numpy_helper.from_array(generator.standard_normal((4, 4), np.float32), name)
        for name in weights
    ]
    for number, node in enumerate(nodes):
        node.name = f"n{number}"
    values = [helper.make_tensor_value_info(name, FLOAT, (4, 4)) for name in ("x", *outputs)]
    graph = helper.make_graph(nodes, "test", values[:1], values[1:], tensors)
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(found)
    return found


def test_a_transform_before_a_layer_stays_in_float() -> None:
    """Simplifying gave the products other names; the layer's weight has its module's."""
    nodes = [
        helper.make_node("MatMul", ["x", "dft"], ["_v_1"]),
        helper.make_node("Gemm", ["_v_1", "val_3", "layer.bias"], ["_v_2"]),
        helper.make_node("Reshape", ["_v_2", "shape"], ["out"]),
    ]
    found = model(nodes, ["dft", "val_3", "layer.bias", "shape"], ["out"])
    names = {"val_3": "layer", "out": "activation"}
    assert kept_nodes(found, names, KeptModules((), frozenset({"layer"}))) == ["n0", "n2"]
    assert kept_nodes(found, names, KeptModules(("layer",), frozenset({"layer"}))) == [
        "n0",
        "n1",
        "n2",
    ]


def test_what_quantized_nodes_and_others_read_is_parted_and_joined() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["layer"]),
        helper.make_node("Add", ["x", "shared"], ["in_float"]),
        helper.make_node("Add", ["layer", "shared"], ["sum"]),
        helper.make_node("Mul", ["sum", "in_float"], ["out"]),
    ]
    found = model(nodes, ["w", "shared"], ["out"])
    x = np.random.default_rng(1).standard_normal((4, 4), np.float32)
    (expected,) = ReferenceEvaluator(found).run(None, {"x": x})
    part_values(found.graph, frozenset({"n1", "n3"}))
    onnx.checker.check_model(found)
    (parted,) = ReferenceEvaluator(found).run(None, {"x": x})
    np.testing.assert_array_equal(parted, expected)
    read = {node.name: list(node.input) for node in found.graph.node}
    assert read["n1"] == ["x", "shared"]  # by no quantized node
    assert not {"x", "shared"} & {*read["n0"], *read["n2"]}
    rounding = helper.make_node("QuantizeLinear", [read["n0"][0], "s", "z"], ["q"])
    found.graph.node.append(rounding)
    join_values(found.graph)
    assert rounding.op_type in [node.op_type for node in found.graph.node]
    assert [node.input[0] for node in found.graph.node if node.output[0] == "q"] == ["x"]
    assert "Identity" not in [node.op_type for node in found.graph.node]
