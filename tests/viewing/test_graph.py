"""The graph that is drawn, and what marks its nodes."""

from __future__ import annotations

import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from affnet.viewing.graph import graph_of, keyed, plan_data, times_data


def transformed() -> object:
    """A product with a mixer's matrix on a map of 4 x 6, and one of another's on none."""
    matrix = "layer.1.filter.mixer.transform.to_real"
    other = "other.filter.mixer.transform.to_real"
    weights = [
        numpy_helper.from_array(np.ones((24, 24), np.float32), name) for name in (matrix, other)
    ]
    shape = numpy_helper.from_array(np.array([1, 2, 4, 6]), "shape")
    nodes = [
        helper.make_node("MatMul", ["x", matrix], ["y"], "same"),
        helper.make_node("MatMul", ["y", other], ["z"], "same"),
        helper.make_node("Reshape", ["z", "shape"], ["w"]),
        helper.make_node("Conv", ["w", "layer.1.filter.mixer.frozen.0"], ["v"], "mixed"),
    ]
    weights += [
        shape,
        numpy_helper.from_array(np.ones((2, 2, 1, 1), np.float32), "layer.1.filter.mixer.frozen.0"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 24])],
        [helper.make_tensor_value_info("v", TensorProto.FLOAT, [1, 2, 4, 6])],
        weights,
    )
    return helper.make_model(graph)


def test_every_edge_joins_nodes_that_are_there() -> None:
    model = transformed()
    made = graph_of(model, "net.onnx", {"y": "layer.1"}, None)
    keys = [node["id"] for node in made["nodes"]]
    assert len(set(keys)) == len(keys) == 6
    edges = {
        (edge["sourceNodeId"], node["id"])
        for node in made["nodes"]
        for edge in node["incomingEdges"]
    }
    assert edges == {
        ("x", "same"),
        ("same", "MatMul #1"),
        ("MatMul #1", "Reshape #2"),
        ("Reshape #2", "mixed"),
        ("mixed", "output v"),
    }
    assert made["nodes"][1]["namespace"] == "layer/1"
    json.dumps(made)


def test_the_products_of_a_transform_carry_its_plan() -> None:
    graph = transformed().graph
    (found,) = plan_data(graph, "net.onnx", {"4x6": "dense"}).values()
    assert {key: one["value"] for key, one in found["results"].items()} == {"same": "4x6 dense"}
    assert [key for key, _ in keyed(graph)] == ["same", "MatMul #1", "Reshape #2", "mixed"]


def test_times_are_milliseconds() -> None:
    (found,) = times_data({"same": 1_500_000}, "net.onnx").values()
    assert found["results"] == {"same": {"value": 1.5}}
