"""Trying files out in another process: what comes back, and what a crash costs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import ArtifactError
from affnet.runtimes import runtime_for
from affnet.runtimes.trial import open_axes, try_out
from tests.shared_artifacts import SharedArtifacts
from tests.tiny import CLASSES

ONNX = runtime_for("onnx")


def onnx_file(path: Path, *, dtype: int = TensorProto.FLOAT, inputs: int = 1) -> Path:
    """Write a sum of inputs of the shape batch x 2."""
    taken = [helper.make_tensor_value_info(f"x{i}", dtype, ["batch", 2]) for i in range(inputs)]
    given = helper.make_tensor_value_info("y", dtype, ["batch", 2])
    nodes = [helper.make_node("Sum", [value.name for value in taken], ["y"])]
    graph = helper.make_graph(nodes, "sum", taken, [given])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("format_", ["onnx", "torch"])
def test_a_file_says_what_its_manifest_says(format_: str, shared_artifact: SharedArtifacts) -> None:
    artifact = shared_artifact("tiny", format_)
    interface = try_out(artifact.path, runtime_for(format_), (1, 3, 32, 32))
    (taken,), (given,) = interface.inputs, interface.outputs
    assert (taken.shape, taken.dtype) == ((1, 3, 32, 32), "float32")
    assert (given.shape, given.dtype) == ((1, CLASSES), "float32")
    assert interface.precision == "fp32"


def test_open_axes_take_the_sizes_wanted_and_outputs_those_they_had(tmp_path: Path) -> None:
    interface = try_out(onnx_file(tmp_path / "sum.onnx"), ONNX, (5, 2))
    assert interface.inputs == (TensorSpec("x0", (5, 2), "float32"),)
    assert interface.outputs == (TensorSpec("y", (5, 2), "float32"),)


@pytest.mark.parametrize(
    ("axes", "wanted", "filled"),
    [
        (("batch", 2), (5, 2), (5, 2)),
        (("batch", 2), (5, 2, 1), (1, 2)),
        (("n", 3, "h", "w"), (1, 3, 64, 32), (1, 3, 64, 32)),
        (("n", "h", "w", 3), (1, 3, 64, 32), (1, 64, 32, 3)),
        ((2, 3, 8, 3), (1, 3, 64, 32), (2, 3, 8, 3)),
    ],
)
def test_open_axes_follow_the_layout_of_the_file(
    axes: tuple[int | str, ...], wanted: tuple[int, ...], filled: tuple[int, ...]
) -> None:
    assert open_axes(TensorSpec("x", axes, "float32"), wanted).shape == filled


def test_an_output_that_declares_no_shape_gets_the_one_it_had(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "sum.onnx")
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(model, path)
    (given,) = try_out(path, ONNX, (5, 2)).outputs
    assert given.shape == (5, 2)


def test_float16_is_seen(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "sum.onnx", dtype=TensorProto.FLOAT16)
    assert try_out(path, ONNX, (1, 2)).precision == "fp16"


def test_a_file_of_several_inputs_is_described_and_not_run(tmp_path: Path) -> None:
    assert len(try_out(onnx_file(tmp_path / "sum.onnx", inputs=2), ONNX, (1, 2)).inputs) == 2


def test_what_the_runtime_says_comes_back_as_its_class(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match=r"broken\.onnx is damaged or no ONNX file"):
        try_out(path, ONNX, (1, 2))


def test_a_failing_run_is_one_sentence(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "sum.onnx")
    model = onnx.load(path)
    model.graph.node[0].op_type = "MatMul"
    model.graph.node[0].input.append("x0")  # batch x 2 by batch x 2
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "columns"
    onnx.save(model, path)
    with pytest.raises(ArtifactError, match=r"onnxruntime cannot run .*sum\.onnx: ") as caught:
        try_out(path, ONNX, (5, 2))
    assert "\n" not in str(caught.value)


def test_a_crash_costs_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    crash = [sys.executable, "-c", "import os; os.abort()"]
    monkeypatch.setattr("affnet.runtimes.trial.module_command", lambda _: crash)
    with pytest.raises(ArtifactError) as caught:
        try_out(tmp_path / "hostile.onnx", ONNX, (1, 2))
    assert str(caught.value) == (
        f"onnxruntime crashes on {tmp_path / 'hostile.onnx'} (signal 6): the file is damaged, or "
        "uses what this version of the runtime gets wrong; write it again."
    )


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    endless = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr("affnet.runtimes.trial.module_command", lambda _: endless)
    monkeypatch.setattr("affnet.runtimes.trial._TIMEOUT_S", 0.2)
    with pytest.raises(ArtifactError, match="did not finish running"):
        try_out(tmp_path / "slow.onnx", ONNX, (1, 2))


def test_the_described_type_is_one_that_numpy_makes(digits_onnx: Artifact) -> None:
    interface = ONNX.describe(digits_onnx.path)
    assert np.dtype(interface.inputs[0].dtype) == np.float32


def test_a_few_bytes_that_make_terabytes_cost_a_sentence(tmp_path: Path) -> None:
    """The child may not take more memory than is free, and so no other process is ended for it."""
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b", "c"])
    sides = helper.make_tensor("sides", TensorProto.INT64, [3], [20_000, 20_000, 2_000])
    nodes = [
        helper.make_node("ConstantOfShape", ["sides"], ["zeros"]),
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Add", ["zeros", "sum"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "large", [taken], [given], [sides])
    path = tmp_path / "large.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path
    )
    with pytest.raises(ArtifactError, match=r"large\.onnx"):
        try_out(path, ONNX, (1, 2))
