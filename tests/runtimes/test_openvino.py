"""OpenVINO: from an ONNX file to a proven pair of files, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import ArtifactError, ConversionError, MissingError
from affnet.export import pipeline
from affnet.export.converters import ConversionRequest
from affnet.export.converters.openvino import OpenVinoConverter
from affnet.export.options import ExportOptions
from affnet.files import content_bytes
from affnet.runtimes.foreign import open_file
from affnet.runtimes.openvino import OpenVinoRuntime, OpenVinoSession
from tests import tiny
from tests.packages import need_openvino

pytestmark = pytest.mark.converters


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    need_openvino()


def onnx_file(folder: Path) -> Path:
    """An ONNX file that computes ``sigmoid(x @ W)``, W of values that float16 rounds."""
    weights = np.linspace(-1, 1, 4096, dtype=np.float32).reshape(64, 64)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "W"], ["y"]),
            helper.make_node("Sigmoid", ["y"], ["z"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 64])],
        [onnx.numpy_helper.from_array(weights, "W")],
    )
    path = folder / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path


def request(precision: str, *, native_fft: bool = False) -> ConversionRequest:
    spec = TensorSpec("x", (1, 64), "float32")
    return ConversionRequest("net", (spec,), (spec,), precision, "torch.export", native_fft)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same network with weights of either width."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("fp32", "fp16")}
    model = onnx_file(folders["fp32"])
    return {
        name: OpenVinoConverter().translate(model, request(name), folder)
        for name, folder in folders.items()
    }


def test_weights_are_stored_as_asked(files: dict[str, Path]) -> None:
    wide, narrow = (files[name].with_suffix(".bin").stat().st_size for name in ("fp32", "fp16"))
    assert (wide, narrow) == (4 * 4096, 2 * 4096)
    for name, path in files.items():
        described = OpenVinoRuntime.describe(path)
        assert described.precision == name
        assert described.inputs == (TensorSpec("x", (1, 64), "float32"),)
        assert described.outputs[0].name == "z"


@pytest.mark.parametrize(("name", "error"), [("fp32", 1e-6), ("fp16", 3e-3)])
def test_it_computes_in_float32_on_the_threads_asked_for(
    files: dict[str, Path], name: str, error: float
) -> None:
    x = np.random.default_rng(0).standard_normal((1, 64), np.float32)
    expected = 1 / (1 + np.exp(-x @ np.linspace(-1, 1, 4096).reshape(64, 64)))
    session = OpenVinoRuntime.load(files[name], threads=1)
    (found,) = session.run(x)
    np.testing.assert_allclose(found, expected, atol=error)
    assert isinstance(session, OpenVinoSession)
    compiled = session._request.get_compiled_model()
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    again = session.run(np.zeros_like(x))
    assert not np.array_equal(again[0], found)  # the first result is a copy


def test_operators_are_counted_and_timed(files: dict[str, Path]) -> None:
    assert OpenVinoRuntime.operators(files["fp32"]) == {"MatMul": 1, "Sigmoid": 1}
    inputs = [np.ones((1, 64), np.float32)]
    times = OpenVinoRuntime.profile(files["fp32"], threads=1, inputs=inputs, runs=3)
    assert all(isinstance(nanoseconds, int) and nanoseconds > 0 for *_, nanoseconds in times)


@pytest.mark.parametrize("lacking", ["damaged", "empty", "short weights"])
def test_a_damaged_file_is_refused(files: dict[str, Path], tmp_path: Path, lacking: str) -> None:
    path = tmp_path / "net.xml"
    shutil.copy(files["fp32"], path)
    shutil.copy(files["fp32"].with_suffix(".bin"), path.with_suffix(".bin"))
    if lacking == "short weights":
        path.with_suffix(".bin").write_bytes(b"short")
    else:
        path.write_bytes(path.read_bytes()[:300] if lacking == "damaged" else b"")
    with pytest.raises(ArtifactError, match=r"^OpenVINO rejects .*net\.xml: .*\.$"):
        OpenVinoRuntime.load(path, threads=1)


@pytest.mark.parametrize("version", [7, 99])
def test_a_file_of_another_version_is_told_by_it(
    files: dict[str, Path], tmp_path: Path, version: int
) -> None:
    path = tmp_path / "net.xml"
    text = files["fp32"].read_text()
    assert 'version="11"' in text[:300]
    path.write_text(text.replace('version="11"', f'version="{version}"', 1))
    shutil.copy(files["fp32"].with_suffix(".bin"), path.with_suffix(".bin"))
    with pytest.raises(ArtifactError) as info:
        OpenVinoRuntime.load(path, threads=1)
    assert info.value.problem.startswith(
        f"{path} is of version {version} of OpenVINO's representation, and openvino "
    )
    assert info.value.problem.endswith("reads 10 and 11")


def test_a_file_without_its_weights_is_refused_by_name(
    files: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "alone.xml"
    shutil.copy(files["fp32"], path)
    with pytest.raises(ArtifactError, match=r"lacks its weights: alone\.bin should stand beside"):
        open_file(path)


def test_a_file_of_another_tool_is_described(files: dict[str, Path]) -> None:
    opened = open_file(files["fp32"])
    assert (opened.manifest.format, opened.proven) == ("openvino", False)
    assert opened.file_bytes == content_bytes(files["fp32"]) > 4 * 4096


def test_what_openvino_computes_wrong_is_refused(tmp_path: Path) -> None:
    network = torch.nn.Identity()
    with pytest.raises(ConversionError, match=r"not computed right .* openvino; omit --fft native"):
        OpenVinoConverter().convert(network, request("fp32", native_fft=True), tmp_path)


def test_what_openvino_cannot_read_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(b"no model")
    with pytest.raises(ConversionError, match=r"^OpenVINO cannot convert net: .*\.$"):
        OpenVinoConverter().translate(model, request("fp32"), tmp_path)


def test_importing_it_reports_to_nobody() -> None:
    program = (
        "import os, sys\n"
        "os.register_at_fork(before=lambda: print('forked'))\n"
        "from affnet.runtimes.openvino import OpenVinoRuntime\n"
        "OpenVinoRuntime.version()\n"
        "print(sorted(name for name in sys.modules if 'telemetry' in name and '.' not in name))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout == "[]\n"


def test_a_missing_package_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingError, match=r"pip install 'affnet\[openvino\]'$"):
        OpenVinoRuntime.load(Path("net.xml"), threads=1)


def test_an_export_is_proven_and_moved_with_its_weights(tmp_path: Path) -> None:
    source = tiny.tiny_source()
    artifact = pipeline.export_artifact(source, ExportOptions(format="openvino"), tmp_path)
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.passed
    assert artifact.manifest.details["settings"]["INFERENCE_PRECISION_HINT"] == "f32"
    Artifact.open(artifact.path)
    weights = artifact.path.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(ArtifactError, match="was changed or replaced"):
        Artifact.open(artifact.path)
