"""Normalizations over whole maps in OpenVINO's files: without the reshapes that ONNX needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from affnet.artifact import TensorSpec
from affnet.export.converters import ConversionRequest
from affnet.export.converters.openvino import OpenVinoConverter
from affnet.runtimes.openvino import OpenVinoRuntime
from tests.packages import need_openvino

pytestmark = pytest.mark.converters

SHAPE, EPSILON = (2, 6, 4, 5), 1e-3


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    need_openvino()


def converted(folder: Path, groups: int, scale: float, shift: float) -> Path:
    """Normalize maps by flattening each of ``groups`` groups of channels to one instance."""
    constants = {
        "flat": np.array([SHAPE[0], groups, -1]),
        "maps": np.array(SHAPE),
        "scale": np.full(groups, scale, np.float32),
        "shift": np.full(groups, shift, np.float32),
    }
    border = (helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in "xz")
    taken, given = ([one] for one in border)
    norm = ["instances", "scale", "shift"]
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["x", "flat"], ["instances"]),
            helper.make_node("InstanceNormalization", norm, ["y"], epsilon=EPSILON),
            helper.make_node("Reshape", ["y", "maps"], ["z"]),
        ],
        "g", taken, given, [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )  # fmt: skip
    path = folder / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    spec = TensorSpec("x", SHAPE, "float32")
    request = ConversionRequest("net", (spec,), (spec,), "fp32", "", native_fft=False)
    return OpenVinoConverter().translate(path, request, folder)


def normalized(x: NDArray[np.float32], groups: int) -> NDArray[np.float64]:
    rows = x.astype(float).reshape(SHAPE[0], groups, -1)
    centered = rows - rows.mean(-1, keepdims=True)
    return (centered / np.sqrt(rows.var(-1, keepdims=True) + EPSILON)).reshape(SHAPE)


@pytest.mark.parametrize(
    ("groups", "scale", "shift", "reshapes"),
    [(1, 1.0, 0.0, 0), (1, 3.0, -2.0, 0), (2, 3.0, -2.0, 2)],
)
def test_a_map_is_normalized_as_it_stands(
    tmp_path: Path, groups: int, scale: float, shift: float, reshapes: int
) -> None:
    path = converted(tmp_path, groups, scale, shift)
    assert OpenVinoRuntime.operators(path).get("Reshape", 0) == reshapes
    x = np.random.default_rng(0).standard_normal(SHAPE, np.float32) * 4 + 1
    (found,) = OpenVinoRuntime.load(path, threads=1).run(x)
    np.testing.assert_allclose(found, normalized(x, groups) * scale + shift, atol=2e-6)
    assert OpenVinoRuntime.describe(path).outputs[0].name == "z"
