"""Files of 8 bits for Arm, computed on a machine whose own kernels may saturate."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from affnet.artifact import image_spec, logits_spec
from affnet.errors import ArtifactError
from affnet.export.verification.subject import Subject
from affnet.runtimes.onnx_exact import ExactSession
from affnet.runtimes.onnxruntime import OnnxRuntime

CHANNELS = 64


def saturating_file(folder: Path) -> Path:
    """Write a convolution whose inputs are all 255 and weights all 127, between Q and DQ nodes."""
    constants = {
        "one": np.float32(1),
        "zero": np.uint8(0),
        "same": np.int8(0),
        "weight": np.full((1, CHANNELS, 1, 1), 127, np.int8),
        "wide": np.float32(2**14),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "one", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "one", "zero"], ["a"]),
        helper.make_node("DequantizeLinear", ["weight", "one", "same"], ["w"]),
        helper.make_node("Conv", ["a", "w"], ["y"]),
        helper.make_node("QuantizeLinear", ["y", "wide", "zero"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "wide", "zero"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes,
        "saturating",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, 1, 1])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 1, 1, 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "net_int8.onnx")
    return folder / "net_int8.onnx"


def subject(file: Path, target: str) -> Subject:
    return Subject(file, "onnx", (image_spec(1, 1),), (logits_spec(1),), "int8", target=target)


def test_products_are_exact_whatever_the_kernels_of_this_machine_do(tmp_path: Path) -> None:
    file = saturating_file(tmp_path)
    (found,) = ExactSession(file, 1).run(np.full((1, CHANNELS, 1, 1), 255, np.float32))
    assert found.ravel().tolist() == [round(CHANNELS * 255 * 127 / 2**14) * 2**14]


def test_only_files_for_arm_are_computed_so_and_only_on_x86(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = saturating_file(tmp_path)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert isinstance(subject(file, "arm").load(), ExactSession)
    assert subject(file, "arm").computed_as == "onnxruntime, computed as on Arm"
    assert type(subject(file, "any").load()) is type(OnnxRuntime.load(file, threads=1))
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert type(subject(file, "arm").load()) is type(OnnxRuntime.load(file, threads=1))
    assert subject(file, "arm").computed_as == "onnxruntime"


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"no model")
    with pytest.raises(ArtifactError, match="ONNX Runtime rejects"):
        ExactSession(tmp_path / "net.onnx", 1)
