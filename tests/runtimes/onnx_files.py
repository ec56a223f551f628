"""A small ONNX file, and its file in the formats that are made from one, without PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from affnet.artifact import TensorSpec
from affnet.export.converters import ConversionRequest, get_converter
from affnet.export.converters.from_onnx import FromOnnx

SHAPE = (1, 3, 4, 6)
#: Of a convolution with kernels of one pixel; float16 rounds them.
WEIGHTS = np.linspace(-1, 1, 8 * 3, dtype=np.float32).reshape(8, 3, 1, 1)
IMAGE = np.random.default_rng(0).random(SHAPE, np.float32)
EXPECTED = np.einsum("oc,bchw->bohw", WEIGHTS[:, :, 0, 0], IMAGE)


def write_model(path: Path, operator: str = "Sigmoid") -> Path:
    """Write a file whose outputs are, unsorted, ``scores``, WEIGHTS * x, and ``boxes``."""
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "W"], ["scores"]),
            helper.make_node(operator, ["scores"], ["boxes"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 8, 4, 6))
            for name in ("scores", "boxes")
        ],
        [onnx.numpy_helper.from_array(WEIGHTS, "W")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def reducing(path: Path, operator: str) -> Path:
    """Write a network that reduces over the last axis, which opset 18 names by an input."""
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "axes"], ["y"], keepdims=0)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE[:-1])],
        [onnx.numpy_helper.from_array(np.array([-1]), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path


def translate(format_: str, precision: str, folder: Path, operator: str = "Sigmoid") -> Path:
    """Return that network as a file of a format."""
    outputs = tuple(TensorSpec(name, (1, 8, 4, 6), "float32") for name in ("scores", "boxes"))
    taken = (TensorSpec("x", SHAPE, "float32"),)
    request = ConversionRequest("net", taken, outputs, precision, "torch.export", native_fft=False)
    converter = get_converter(format_)()
    assert isinstance(converter, FromOnnx)
    scratch = folder / "scratch"
    scratch.mkdir()
    return converter.translate(write_model(scratch / "model.onnx", operator), request, folder)
