"""Layer norms behind a sum, kept apart from it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from affnet.export.converters.onnx.norms import part_norms
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.source import load_source


def fused(model: onnx.ModelProto | str, folder: Path) -> set[str]:
    """Return the operators of what ONNX Runtime makes of a model."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = logging.ERROR // 10
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    given = model if isinstance(model, str) else model.SerializeToString()
    onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    return {node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node}


def residual(shape: list[int | str], *, is_output: bool = False) -> onnx.ModelProto:
    """Return layer norm (x + relu(x)); of a sum that is also an output if so asked."""
    weight = numpy_helper.from_array(np.ones(8, np.float32), "weight")
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Add", ["x", "y"], ["sum"]),
        helper.make_node("LayerNormalization", ["sum", "weight"], ["z"], axis=-1),
    ]
    outputs = ["z", "sum"] if is_output else ["z"]
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize("shape", [[2, 5, 8], ["batch", 5, 8], ["batch", "time", 8]])
def test_a_norm_of_a_sum_is_not_fused(shape: list[int | str], tmp_path: Path) -> None:
    model = residual(shape)
    assert "SkipLayerNormalization" in fused(model, tmp_path)
    x = {"x": np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)}

    def run() -> np.ndarray:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        return np.asarray(session.run(None, x)[0])

    before = run()
    part_norms(model)
    onnx.checker.check_model(model, full_check=True)
    assert "LayerNormalization" in fused(model, tmp_path)
    np.testing.assert_allclose(run(), before, atol=1e-6)


@pytest.mark.parametrize(
    "model", [residual([5, 8]), residual([1, 2, 5, 8]), residual([2, 5, 8], is_output=True)]
)
def test_what_is_not_fused_stays(model: onnx.ModelProto, tmp_path: Path) -> None:
    assert "SkipLayerNormalization" not in fused(model, tmp_path)
    before = model.SerializeToString()
    part_norms(model)
    assert model.SerializeToString() == before


class Encoder(nn.Module):
    """FNet's: norms behind the sums."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(16) for _ in range(2))
        self.linear = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norms[0](x + torch.fft.fftn(x, dim=(1, 2)).real)
        return self.norms[1](x + self.linear(x))


def encoder() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return Encoder().eval(), torch.randn(1, 8, 16)


def test_files_hold_no_fused_norms(tmp_path: Path) -> None:
    source = load_source("tests.export.converters.onnx.test_norms:encoder")
    path = export_artifact(source, ExportOptions("onnx"), tmp_path / "out").path
    assert fused(str(path), tmp_path) & {"LayerNormalization", "SkipLayerNormalization"} == {
        "LayerNormalization"
    }
