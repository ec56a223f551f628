"""ncnn files: sizes that pnnx leaves open, the batch axis, and the order of outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from affnet.artifact import TensorSpec
from affnet.errors import ArtifactError
from affnet.export.converters import ConversionRequest
from affnet.export.converters.ncnn import NcnnConverter
from affnet.export.converters.ncnn_layers import complete, values_with_batch
from affnet.runtimes import get_runtime
from affnet.runtimes.ncnn import layers_of

pytestmark = pytest.mark.converters

GENERATOR = np.random.default_rng(0)
MATRIX = GENERATOR.standard_normal((16, 9), np.float32)
KERNEL = GENERATOR.standard_normal((5, 3, 1, 1), np.float32)
PRODUCT = helper.make_node("MatMul", ["x", "W"], ["y"])


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    for package in ("ncnn", "pnnx"):
        pytest.importorskip(package, reason="needs pip install 'affnet[ncnn]'")


def translated(
    folder: Path, nodes: Sequence[onnx.NodeProto], shape: tuple[int, ...], outputs: dict[str, tuple]
) -> tuple[Path, np.ndarray, list[np.ndarray]]:
    """Return ncnn's file of a network, an input, and what ONNX Runtime makes of it."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(MATRIX, "W"), numpy_helper.from_array(KERNEL, "K")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    scratch = folder / "scratch"
    scratch.mkdir()
    onnx.save(model, scratch / "net.onnx")
    x = GENERATOR.standard_normal(shape, np.float32)
    expected = get_runtime("onnxruntime").load(scratch / "net.onnx", threads=1).run(x)
    taken = (TensorSpec("x", shape, "float32"),)
    given = tuple(TensorSpec(name, size, "float32") for name, size in outputs.items())
    request = ConversionRequest("net", taken, given, "fp32", "torch.export", native_fft=False)
    return NcnnConverter().translate(scratch / "net.onnx", request, folder), x, expected


@pytest.mark.parametrize("shape", [(1, 16), (1, 3, 16), (1, 4, 3, 16)])
def test_a_network_in_which_pnnx_sees_no_batch_is_right(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    path, x, (expected,) = translated(tmp_path, [PRODUCT], shape, {"y": (*shape[:-1], 9)})
    (found,) = get_runtime("ncnn").load(path, threads=1).run(x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert get_runtime("ncnn").describe(path).inputs[0].shape == shape


def test_outputs_come_in_the_order_of_the_network(tmp_path: Path) -> None:
    nodes = [PRODUCT, helper.make_node("Sigmoid", ["y"], ["z"])]
    path, x, expected = translated(tmp_path, nodes, (1, 3, 16), {"z": (1, 3, 9), "y": (1, 3, 9)})
    found = get_runtime("ncnn").load(path, threads=1).run(x)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_no_reshape_computes_its_sizes_at_every_run(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "K"], ["k"]),
        helper.make_node("MatMul", ["k", "W"], ["y"]),
        helper.make_node("Relu", ["y"], ["z"]),
    ]
    path, x, (expected,) = translated(tmp_path, nodes, (1, 3, 4, 16), {"z": (1, 5, 4, 9)})
    reshapes = [layer for layer in layers_of(path) if layer[0] == "Reshape"]
    assert len(reshapes) == 2  # around the product
    assert not [field for layer in reshapes for field in layer if field.startswith("6=")]
    (found,) = get_runtime("ncnn").load(path, threads=1).run(x)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_where_the_batch_is_left_is_read_from_pnnx_script() -> None:
    script = (
        'ex.input("in0", ncnn.Mat(in0.numpy(), batch_index=0).clone())\n'
        "out.append(torch.from_numpy(out0.numpy(batch_index=233)))\n"
        "out.append(torch.from_numpy(out1.numpy(batch_index=0)))\n"
    )
    assert values_with_batch(script) == {"out0"}


def test_a_file_that_does_not_run_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "net.ncnn.param"
    text = "7767517\n2 2\nInput in0 0 1 in0\ntorch.fft.rfft f 1 1 in0 out0\n"
    path.write_text(text)
    path.with_suffix(".bin").write_bytes(b"")
    complete(path, (1, 3, 16), frozenset())
    assert path.read_text() == text
    with pytest.raises(ArtifactError, match=r"layer torch\.fft\.rfft not exists"):
        get_runtime("ncnn").load(path, threads=1)
