"""MNN and ncnn: converters that end with 0 whatever happens, and what is refused."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.errors import ArtifactError, ConversionError, MissingError, UsageError
from affnet.export.converters import ConversionRequest, from_onnx, mnn, ncnn
from affnet.export.converters.mnn import _CONVERT, MnnConverter
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.runtimes import get_runtime, trial
from affnet.runtimes.foreign import open_file
from tests.runtimes.onnx_files import EXPECTED, IMAGE, SHAPE, reducing, translate
from tests.tiny import tiny_source

pytestmark = pytest.mark.converters

FORMATS = ("mnn", "ncnn")


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    for package in ("_mnncengine", "ncnn", "pnnx"):
        pytest.importorskip(package, reason="needs pip install 'affnet[mnn,ncnn]'")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    return {
        (format_, precision): translate(format_, precision, tmp_path_factory.mktemp("net"))
        for format_ in FORMATS
        for precision in ("fp32", "fp16")
    }


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(("precision", "error"), [("fp32", 1e-6), ("fp16", 5e-4)])
def test_outputs_are_right_and_in_the_order_of_the_network(
    files: dict[tuple[str, str], Path], format_: str, precision: str, error: float
) -> None:
    session = get_runtime(format_).load(files[format_, precision], threads=1)
    first, second = session.run(IMAGE)
    assert first.shape == EXPECTED.shape
    assert np.abs(first - EXPECTED).max() <= error
    np.testing.assert_allclose(second, 1 / (1 + np.exp(-EXPECTED)), atol=max(error, 1e-6))
    session.run(np.zeros(SHAPE, np.float32))
    assert np.abs(first - EXPECTED).max() <= error  # a copy


@pytest.mark.parametrize(
    ("operator", "norm"),
    [
        ("ReduceL1", lambda x: np.abs(x).sum(-1)),
        ("ReduceL2", lambda x: np.sqrt((x * x).sum(-1))),
        ("ReduceSumSquare", lambda x: (x * x).sum(-1)),
        ("ReduceLogSum", lambda x: np.log(x.sum(-1))),
        ("ReduceLogSumExp", lambda x: np.log(np.exp(x).sum(-1))),
        ("ReduceSum", lambda x: x.sum(-1)),
    ],
)
def test_mnn_reduces_over_the_axes_that_are_named(
    tmp_path: Path, operator: str, norm: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    path = reducing(tmp_path / "model.onnx", operator)
    spec = TensorSpec("x", SHAPE, "float32"), TensorSpec("y", SHAPE[:-1], "float32")
    request = ConversionRequest("net", spec[:1], spec[1:], "fp32", "torch.export", native_fft=False)
    made = MnnConverter().translate(path, request, tmp_path)
    given = np.abs(IMAGE) + 0.5
    (found,) = get_runtime("mnn").load(made, threads=1).run(given)
    np.testing.assert_allclose(found, norm(given), rtol=1e-5)


@pytest.mark.parametrize("format_", FORMATS)
def test_weights_of_float16_are_rounded_and_not_cut_off(
    files: dict[tuple[str, str], Path], format_: str
) -> None:
    narrow = files[format_, "fp16"]
    weights = np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3)
    rounded = weights.astype(np.float16).astype(np.float32)
    (found, _) = get_runtime(format_).load(narrow, threads=1).run(IMAGE)
    expected = np.einsum("oc,bchw->bohw", rounded, IMAGE)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_describes_itself(files: dict[tuple[str, str], Path], format_: str) -> None:
    path = files[format_, "fp32"]
    interface = get_runtime(format_).describe(path)
    assert interface.inputs[0].shape == SHAPE
    assert len(interface.outputs) == 2
    assert sum(get_runtime(format_).operators(path).values()) >= 2
    opened = open_file(path)  # in a process of its own
    assert (opened.manifest.format, opened.proven) == (format_, False)
    assert opened.manifest.outputs[0].shape == EXPECTED.shape


@pytest.mark.parametrize("format_", FORMATS)
def test_a_converter_that_ends_with_0_and_without_success_is_refused(
    tmp_path: Path, format_: str
) -> None:
    with pytest.raises((ConversionError, ArtifactError), match=r"DFT|wrote no file|ncnn rejects"):
        path = translate(format_, "fp32", tmp_path, operator="DFT")
        get_runtime(format_).load(path, threads=1)


@pytest.mark.parametrize("format_", ["mnn", "ncnn", "openvino"])
def test_a_file_that_ends_its_runtime_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format_: str
) -> None:
    asked = []

    def crash(path: Path, runtime: type[Any], shape: tuple[int, ...]) -> None:
        asked.append((path.exists(), runtime.format, shape))
        raise ArtifactError(f"{runtime.name} crashes on {path.name} (signal 8)", "write it again.")

    monkeypatch.setattr(trial, "try_out", crash)
    with pytest.raises(ConversionError) as caught:
        export_artifact(tiny_source(), ExportOptions(format_), tmp_path)
    assert "crashes on" in caught.value.problem
    assert str(caught.value).endswith("export to another --format.")
    assert asked[0] == (True, format_, (1, 3, 32, 32))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(("format_", "tool"), [("mnn", "MNN's converter"), ("ncnn", "pnnx")])
def test_a_converter_that_hangs_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format_: str, tool: str
) -> None:
    note = tmp_path / "pid"
    code = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(20)"
    pnnx = tmp_path / "pnnx"
    pnnx.write_text(f"#!{sys.executable}\n{code}\n")
    pnnx.chmod(0o755)
    monkeypatch.setattr(mnn, "_CONVERT", code)
    monkeypatch.setattr(ncnn, "_program", lambda: str(pnnx))
    monkeypatch.setattr(from_onnx, "TIMEOUT_S", 2.0, raising=False)
    with pytest.raises(ConversionError, match=f"{tool} did not finish within 2 s; try again on"):
        translate(format_, "fp32", tmp_path)
    assert not psutil.pid_exists(int(note.read_text()))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("content", [b"", b"no model", b"\xff" * 99])
def test_what_is_no_such_file_is_refused(tmp_path: Path, format_: str, content: bytes) -> None:
    path = tmp_path / f"net{get_runtime(format_).suffix}"
    path.write_bytes(content)
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"net\.\w+"):
        get_runtime(format_).load(path, threads=1)


def test_weights_that_end_too_soon_are_refused(
    files: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "net.ncnn.param"
    shutil.copy(files["ncnn", "fp32"], path)
    with pytest.raises(ArtifactError, match=r"lacks its weights: net\.ncnn\.bin should stand"):
        open_file(path)
    path.with_suffix(".bin").write_bytes(files["ncnn", "fp32"].with_suffix(".bin").read_bytes()[:8])
    with pytest.raises(ArtifactError, match=r"^ncnn rejects"):
        get_runtime("ncnn").load(path, threads=1)


def test_ncnn_runs_one_input_at_a_time(files: dict[tuple[str, str], Path]) -> None:
    session = get_runtime("ncnn").load(files["ncnn", "fp32"], threads=1)
    with pytest.raises(UsageError, match="one input at a time, not 2"):
        session.run(np.concatenate((IMAGE, IMAGE)))


def test_an_image_is_assumed_where_a_file_of_ncnn_says_nothing(
    files: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "net.param"
    text = files["ncnn", "fp32"].read_text()
    path.write_text(text.replace(" 0=6 1=4 2=3", ""))
    shutil.copy(files["ncnn", "fp32"].with_suffix(".bin"), path.with_suffix(".bin"))
    (taken,) = get_runtime("ncnn").describe(path).inputs
    assert taken == TensorSpec("in0", (1, "axis 1", "axis 2", "axis 3"), "float32")


@pytest.mark.parametrize(("name", "module"), [("MNN", "_mnncengine"), ("ncnn", "ncnn")])
def test_a_missing_package_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    format_ = name.lower()
    sentence = rf"the package '{name}', which .* pip install 'affnet\[{format_}\]'$"
    with pytest.raises(MissingError, match=sentence):
        get_runtime(format_).load(Path("net"), threads=1)


def test_no_export_starts_pip_or_opens_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrapper of MNN's converter does; what it wraps, in the process that runs it, does not."""
    log, extension = tmp_path / "log", tmp_path / "extension"
    extension.mkdir()
    log.write_text("")
    (extension / "sitecustomize.py").write_text(
        "import sys\n"
        "def watch(event, arguments):\n"
        "    if event in ('subprocess.Popen', 'os.system', 'socket.connect', 'os.posix_spawn'):\n"
        f"        open({str(log)!r}, 'a').write(f'{{event}} {{arguments}}\\n')\n"
        "    if event == 'import' and arguments[0].startswith('MNN'):\n"
        f"        open({str(log)!r}, 'a').write(f'{{event}} {{arguments[0]}}\\n')\n"
        "sys.addaudithook(watch)\n"
        "sys.audit('subprocess.Popen', 'the watch is on')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(extension), prepend=":")
    folder = tmp_path / "net"
    folder.mkdir()
    assert translate("mnn", "fp32", folder).exists()
    assert "mnnconvert" in _CONVERT
    lines = log.read_text().splitlines()
    assert lines
    assert all("the watch is on" in line for line in lines)
