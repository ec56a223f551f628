"""ONNX files of float16 with every value rounded, against numpy's own float16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from affnet.errors import ArtifactError
from affnet.runtimes.onnx_rounded import RoundedSession

_HALF, _SINGLE = TensorProto.FLOAT16, TensorProto.FLOAT


def saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    weights: dict[str, NDArray[np.float16]],
    size: int,
    borders: int = _SINGLE,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", borders, (1, size))],
        [helper.make_tensor_value_info("y", borders, (1, size))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def cast(given: str, result: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [given], [result], to=to)


def test_overflows_and_loses_as_float16_does(tmp_path: Path) -> None:
    nodes = [
        cast("x", "h", _HALF),
        helper.make_node("Add", ["h", "zero"], ["s"]),
        helper.make_node("Mul", ["s", "s"], ["square"]),
        helper.make_node("Sqrt", ["square"], ["root"]),
        cast("root", "y", _SINGLE),
    ]
    path = saved(tmp_path / "net.onnx", nodes, {"zero": np.zeros(1, np.float16)}, 5)
    x = np.array([[65519, 65520, 300, 1e-4, 200]], np.float32)
    (y,) = RoundedSession(path, 1).run(x)
    assert y.tolist() == [[np.inf, np.inf, np.inf, 0.0, 200.0]]


def test_equals_numpy_rounding(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weight = random.standard_normal((8, 8)).astype(np.float16)
    bias = random.standard_normal(8).astype(np.float16)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Mul", ["c", "x"], ["y"]),
    ]
    path = saved(tmp_path / "net.onnx", nodes, {"w": weight, "b": bias}, 8, _HALF)
    x = random.standard_normal((1, 8)).astype(np.float16)
    product = (x.astype(np.float32) @ weight.astype(np.float32)).astype(np.float16)
    (y,) = RoundedSession(path, 1).run(x)
    assert y.dtype == np.float16
    assert y.tolist() == ((product + bias) * x).tolist()


def test_graphs_inside_operators_are_rounded_too(tmp_path: Path) -> None:
    def branch(name: str) -> onnx.GraphProto:
        node = helper.make_node("Mul", ["h", "h"], [name])
        return helper.make_graph(
            [node], name, [], [helper.make_tensor_value_info(name, _HALF, (1, 1))]
        )

    condition = numpy_helper.from_array(np.array(True), "condition")
    nodes = [
        cast("x", "h", _HALF),
        helper.make_node("Constant", [], ["c"], value=condition),
        helper.make_node("If", ["c"], ["s"], then_branch=branch("a"), else_branch=branch("b")),
        cast("s", "y", _SINGLE),
    ]
    path = saved(tmp_path / "net.onnx", nodes, {}, 1)
    (y,) = RoundedSession(path, 1).run(np.array([[300]], np.float32))
    assert y.tolist() == [[np.inf]]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\xff" * 99)
    with pytest.raises(ArtifactError, match="ONNX Runtime rejects"):
        RoundedSession(tmp_path / "net.onnx", 1)
