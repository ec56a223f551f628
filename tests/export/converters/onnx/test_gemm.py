"""Fully connected layers as a product and a sum, which tract computes in float16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from affnet.export.converters.onnx.float16 import in_float16
from affnet.export.converters.onnx.gemm import split_gemms
from affnet.runtimes import get_runtime

WEIGHTS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
BIAS = np.linspace(1, 2, 3, dtype=np.float32)
X = np.random.default_rng(0).random((1, 4), np.float32)


def layer(*, bias: bool = True, **attributes: float) -> onnx.ModelProto:
    """A Gemm whose weights also are an output, so that they are used twice."""
    weights = WEIGHTS.T.copy() if attributes.get("transB") else WEIGHTS
    tensors = [numpy_helper.from_array(weights, "W"), numpy_helper.from_array(BIAS, "b")]
    inputs = ["x", "W", "b"][: 2 + bias]
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", inputs, ["y"], **attributes),
            helper.make_node("Identity", ["W"], ["w"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3)),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, weights.shape),
        ],
        tensors[: 1 + bias],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def outputs(model: onnx.ModelProto, folder: Path, runtime: str = "onnxruntime") -> list[np.ndarray]:
    onnx.checker.check_model(model, full_check=True)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return get_runtime(runtime).load(path, threads=1).run(X)


@pytest.mark.parametrize("given", [{}, {"transB": 1}, {"bias": False}])
def test_a_layer_becomes_a_product_and_a_sum(tmp_path: Path, given: dict[str, bool]) -> None:
    model = layer(**given)
    split = split_gemms(model)
    kinds = ["MatMul", *(["Add"] if given.get("bias", True) else []), "Identity"]
    assert [node.op_type for node in split.graph.node] == kinds
    expected = X @ WEIGHTS + (BIAS if given.get("bias", True) else 0)
    found, weights = outputs(split, tmp_path)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(weights, outputs(model, tmp_path)[1])


@pytest.mark.parametrize("given", [{"alpha": 2.0}, {"beta": 0.5}])
def test_what_is_no_plain_layer_stays(given: dict[str, float]) -> None:
    assert split_gemms(layer(**given)) == layer(**given)


@pytest.mark.converters
def test_tract_computes_a_layer_in_float16(tmp_path: Path) -> None:
    pytest.importorskip("tract", reason="needs pip install 'affnet[tract]'")
    half = split_gemms(in_float16(layer(transB=1)))
    assert any(tensor.data_type == TensorProto.FLOAT16 for tensor in half.graph.initializer)
    found, _ = outputs(half, tmp_path, "tract")
    np.testing.assert_allclose(found, X @ WEIGHTS + BIAS, atol=5e-3)
