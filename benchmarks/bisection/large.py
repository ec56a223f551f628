"""A transformer of any number of operators, as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from affnet.artifact import Artifact, TensorSpec
from affnet.runtimes import Interface
from affnet.runtimes.foreign import described

_TOKENS, _WIDTH = 64, 256


def large_file(path: Path, operators: int) -> tuple[Artifact, NDArray[np.float32]]:
    """Write it with about so many operators; return it and its input."""
    random = np.random.default_rng(0)
    nodes: list[Any] = []
    weights: list[Any] = []

    def weight(*shape: int) -> str:
        name = f"w{len(weights)}"
        scale = 1 / np.sqrt(shape[0])
        values = (scale * random.standard_normal(shape)).astype(np.float32)
        weights.append(numpy_helper.from_array(values, name))
        return name

    def node(kind: str, *given: str, **attributes: Any) -> str:
        made = f"v{len(nodes)}"
        nodes.append(helper.make_node(kind, given, [made], f"{kind}_{len(nodes)}", **attributes))
        return made

    ones = numpy_helper.from_array(np.ones(_WIDTH, np.float32), "ones")
    x = "x"
    while len(nodes) < operators - 1:  # a block of 12
        normal = node("LayerNormalization", x, "ones", axis=-1)
        query, key, value = (node("MatMul", normal, weight(_WIDTH, _WIDTH)) for _ in range(3))
        scores = node("MatMul", query, node("Transpose", key, perm=[0, 2, 1]))
        mixed = node("MatMul", node("Softmax", scores, axis=-1), value)
        x = node("Add", x, mixed)
        hidden = node("Relu", node("MatMul", x, weight(_WIDTH, _WIDTH)))
        x = node("Add", x, hidden)
    nodes.append(helper.make_node("Identity", [x], ["y"], "last"))
    shape = (1, _TOKENS, _WIDTH)
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [ones, *weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    spec = TensorSpec("x", shape, "float32"), TensorSpec("y", shape, "float32")
    artifact = described(path, Interface((spec[0],), (spec[1],), "fp32"))
    return artifact, random.standard_normal(shape).astype(np.float32)
