"""Networks whose batch and time vary, through the formats that hold it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from affnet.artifact import Artifact, Manifest
from affnet.dynamic_axes import DynamicAxis
from affnet.errors import ConversionError, UsageError
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.source import load_source
from affnet.runtimes import runtime_for
from tests.conftest import Finished
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.networks import dynamic_networks

pytestmark = THIRD_PARTY_WARNINGS
NETWORKS = "tests.networks.dynamic_networks"


def exported(name: str, format_: str, folder: Path, dynamic: str = "batch,time") -> Artifact:
    source = load_source(f"{NETWORKS}:{name}", dynamic=dynamic)
    return export_artifact(source, ExportOptions(format_, precision="fp32"), folder)


def assert_right(artifact: Artifact, network: torch.nn.Module, *shapes: tuple[int, ...]) -> None:
    """Run a file at other lengths than those that the export itself tried."""
    session = runtime_for(artifact.manifest.format).load(artifact.path, threads=1)
    for shape in shapes:
        x = torch.randn(*shape)
        (given,) = session.run(x.numpy())
        expected = network.eval()(x).detach().numpy()
        assert given.shape == expected.shape
        assert np.abs(given - expected).max() <= 1e-4 * np.abs(expected).max()


SHAPES = ((1, 400), (3, 337), (4, 800), (1, 200))


def test_a_front_end_and_a_network_take_any_batch_and_time(
    run: Callable[..., Finished], tmp_path: Path
) -> None:
    source = f"{NETWORKS}:keyword"
    done = run("export", source, "--dynamic", "batch,time", "-o", tmp_path, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert "batch 1..4 (verified at 1, 2, 4), time 200..800 (verified at 200, 400, 800)" in done.out
    artifact = Artifact.open(tmp_path / "dynamic_networks_keyword.onnx")
    manifest = artifact.manifest
    assert manifest.inputs[0].shape == ("batch", "time")
    assert manifest.inputs[0].static_shape() == (1, 400)
    assert manifest.outputs[0].shape == ("batch", 4)
    assert manifest.dynamic[1] == DynamicAxis("time", 400, 200, 800, (200, 400, 800))
    assert manifest.parity is not None
    names = [one.name for one in manifest.parity.details]
    assert "normal noise, batch 4, time 800" in names
    (taken,) = runtime_for("onnx").describe(artifact.path).inputs
    assert taken.shape == ("batch", "time")
    assert_right(artifact, dynamic_networks.Keyword(), *SHAPES)
    assert run("verify", artifact.path, "--quiet").code == 0
    assert "dynamic axes batch 1..4" in " ".join(run("inspect", artifact.path).out.split())
    np.save(tmp_path / "x.npy", np.zeros((2, 500), np.float32))
    done = run("run", artifact.path, "--input", tmp_path / "x.npy", "-o", tmp_path)
    assert (done.code, "2x4 float32" in done.out) == (0, True)
    np.save(tmp_path / "x.npy", np.zeros((2, 900), np.float32))
    done = run("run", artifact.path, "--input", tmp_path / "x.npy", "-o", tmp_path)
    assert (done.code, "is made for 200 to 800" in done.error) == (2, True)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("log_mel", "onnx"),
        ("denoise", "onnx"),
        ("denoise_all", "onnx"),
        ("log_mel", "torch"),
        pytest.param("log_mel", "coreml", marks=pytest.mark.converters),
        pytest.param("denoise_all", "coreml", marks=pytest.mark.converters),
        pytest.param("log_mel", "executorch", marks=pytest.mark.converters),
        pytest.param("log_mel", "openvino", marks=pytest.mark.converters),
    ],
)
def test_spectra_and_back_of_any_length(name: str, format_: str, tmp_path: Path) -> None:
    artifact = exported(name, format_, tmp_path)
    network, _ = getattr(dynamic_networks, name)()
    assert_right(artifact, network, *SHAPES)


@pytest.mark.converters
def test_core_ml_files_take_any_number_of_frames_back(tmp_path: Path) -> None:
    artifact = exported("denoise", "coreml", tmp_path)
    assert artifact.manifest.route == "torch.export"
    network, _ = dynamic_networks.denoise()
    assert_right(artifact, network, *SHAPES)


@pytest.mark.exhaustive
def test_axes_of_nested_inputs_are_named_one_by_one(tmp_path: Path) -> None:
    dynamic = "left:2=length:10..40,opts_right:2=length"
    artifact = exported("pair", "onnx", tmp_path, dynamic)
    assert [one.shape for one in artifact.manifest.inputs] == [(2, 3, "length")] * 2
    shapes = {one.name: one.shape for one in artifact.manifest.outputs}
    assert shapes == {"sum": (2, 3, "length"), "last": (2, 3, 3)}


def test_a_transform_over_a_dynamic_axis_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        exported("whole", "onnx", tmp_path)
    assert "dynamic_networks.py" in str(refused.value)
    assert "torch.fft.rfft(x).abs()" in str(refused.value)
    assert "torch.stft" in str(refused.value)


def test_a_network_for_one_length_is_refused() -> None:
    with pytest.raises(UsageError, match="does not run at batch 1, time 200") as refused:
        load_source(f"{NETWORKS}:fixed", dynamic="batch,time")
    assert "that it takes, batch:MIN..MAX,time:MIN..MAX, omit an axis" in str(refused.value)


def test_a_length_that_forward_fixes_is_refused_by_its_axis() -> None:
    with pytest.raises(ConversionError) as refused:
        load_source(f"{NETWORKS}:checked", dynamic="time:400..800")
    assert "forward needs axis 1 of x to have the length of its example" in str(refused.value)
    assert "omit that axis from --dynamic" in str(refused.value)


def test_a_signal_may_be_as_long_as_the_input() -> None:
    """As torch.export alone does not take it; the files are among the exhaustive tests."""
    torch.manual_seed(0)
    source = load_source(f"{NETWORKS}:denoise_all", dynamic="batch,time")
    program = source.program
    assert program is not None
    network, _ = dynamic_networks.denoise_all()
    for batch, time in ((1, 200), (3, 415), (4, 800)):
        x = torch.randn(batch, time)
        with torch.no_grad():
            torch.testing.assert_close(program.module()(x), network(x))


@pytest.mark.parametrize("format_", ["ncnn", "mnn", "tflite", "coreai"])
def test_formats_of_fixed_shapes_say_so(
    format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("affnet.export.options.check_installed", lambda _: None)
    source = load_source(f"{NETWORKS}:log_mel", dynamic="time")
    with pytest.raises(UsageError, match=f"{format_} files have fixed shapes here"):
        export_artifact(source, ExportOptions(format_), tmp_path)


def test_images_have_a_dynamic_batch_alone(run: Callable[..., Finished], tmp_path: Path) -> None:
    done = run("export", "digits", "--dynamic", "time", "-o", tmp_path, "--quiet")
    assert (done.code, "takes images of one size" in done.error) == (2, True)
    done = run("export", "digits", "--dynamic", "height", "-o", tmp_path, "--quiet")
    assert (done.code, "names no axis" in done.error) == (2, True)


def test_a_manifest_whose_example_is_none_is_refused() -> None:
    text = (
        '{"schema": 1, "model": "m", "format": "onnx", "precision": "fp32", "sha256": "0",'
        '"inputs": [{"name": "x", "shape": ["n", 3], "dtype": "float32", "example_shape": [1, 4]}],'
        '"outputs": [{"name": "y", "shape": ["n"], "dtype": "float32"}], "labels": null,'
        '"fft_plan": {}, "route": "", "fallbacks": [], "details": {}, "parameters": null,'
        '"provenance": {"kind": "function", "location": "a:b", "weights": "w", "sha256": null,'
        '"settings": {}}, "macs": null, "published": null, "tools": {}, "parity": null,'
        '"task": "other", "preprocessing": null}'
    )
    with pytest.raises(ValueError, match=r"\[1, 4\] is no example of \['n', 3\]"):
        Manifest.from_json(text)
