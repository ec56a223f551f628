"""Export to Core ML: parity in the evaluator, what the saved program says, refusals."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from affnet import __version__
from affnet.artifact import manifest_path
from affnet.errors import ConversionError
from affnet.export.converters.coreml import converter
from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.verification.inputs import image_inputs
from affnet.files import content_sha256
from affnet.layouts import as_input
from affnet.model.layers import ChannelLayerNorm
from affnet.model.source import load_source
from affnet.runtimes.coreml import CoreMLRuntime, quiet_coremltools
from affnet.runtimes.mlprogram import load_program
from tests.reference import fill
from tests.tiny import short_source, tiny_net, tiny_source

pytest.importorskip("coremltools")
pytestmark = pytest.mark.converters


@pytest.fixture(scope="module")
def half(shared_artifact):
    return shared_artifact("digits", "coreml")


@pytest.fixture(scope="module")
def single(shared_artifact):
    return shared_artifact("tiny", "coreml", precision="fp32", deployment_target="iOS17")


@pytest.fixture(scope="module")
def floats(shared_artifact):
    return shared_artifact("tiny", "coreml", precision="fp32")


@pytest.fixture(scope="module")
def image(shared_artifact):
    return shared_artifact("tiny", "coreml", precision="fp32", image_input=True)


def test_a_package_holds_what_its_manifest_names_and_no_more(half):
    files = {str(p.relative_to(half.path)) for p in half.path.rglob("*") if p.is_file()}
    manifest = json.loads((half.path / "Manifest.json").read_text())
    named = {f"Data/{item['path']}" for item in manifest["itemInfoEntries"].values()}
    assert files == {
        "Manifest.json",
        "Data/com.apple.CoreML/model.mlmodel",
        "Data/com.apple.CoreML/weights/weight.bin",
    }
    assert all(any(file.startswith(name) for name in named) for file in files - {"Manifest.json"})


@pytest.fixture
def copy(half, tmp_path):
    """A copy of the exported package, to damage."""
    path = tmp_path / half.path.name
    shutil.copytree(half.path, path)
    shutil.copy(manifest_path(half.path), manifest_path(path))
    return path


def trust_changes(path):
    """Make the manifest agree with the files, so that the reader of packages has its say."""
    manifest = json.loads(manifest_path(path).read_text())
    manifest["sha256"] = content_sha256(path)
    manifest_path(path).write_text(json.dumps(manifest))


def test_float16_is_the_default(half):
    assert half.manifest.precision == "fp16"
    assert half.manifest.parity.psnr_db >= 50  # on the worst of its pictures
    assert half.manifest.parity.top1_agreement == 1
    details = dict(half.manifest.details)
    assert details.pop("float16")["headroom"] > 2
    assert details == {"deployment_target": "iOS16", "specification_version": 7}
    assert set(half.manifest.tools) == {"affnet", "coremltools", "torch"}


def test_float32(single):
    assert single.manifest.precision == "fp32"
    assert single.manifest.parity.max_rel_error <= 1e-4
    assert single.manifest.details["deployment_target"] == "iOS17"
    assert_normalised(single, "layer_norm", 3)


def assert_normalised(artifact, operator, count):
    """Check that each normalisation is one operator, with no square that overflows float16."""
    counts = load_program(artifact.path).operator_counts()
    assert counts[operator] == count
    assert not {"square", "pow", "sqrt", "rsqrt"} & counts.keys()


def test_all_is_float16_and_normalised_by_one_operator(half):
    program = load_program(half.path)
    assert_normalised(half, "layer_norm", 21)
    counts = program.operator_counts()
    assert "real_div" not in counts
    assert counts.get("cast", 0) <= 2  # of the input and the output
    types = [output.type for node in program.function.walk() for output in node.outputs]
    assert sum(kind.dtype == "float32" for kind in types) <= 1
    assert max(len(kind.shape) for kind in types) <= 5


def test_image_input_agrees_with_float_input(floats, image):
    spec = image.manifest.inputs[0]
    assert (spec.shape, spec.dtype, spec.layout) == ((1, 32, 32, 3), "uint8", "NHWC")
    assert load_program(image.path).inputs[0].kind == "image"
    picture = image_inputs((32, 32))[-2].arrays[0]
    results = [
        CoreMLRuntime.load(artifact.path, threads=1).run(
            as_input(picture, artifact.manifest.inputs[0])
        )[0]
        for artifact in (floats, image)
    ]
    np.testing.assert_allclose(results[0], results[1], atol=1e-4 * np.abs(results[0]).max())


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_native_leaves_the_transforms_to_coremltools(tmp_path, precision):
    artifact = export_artifact(
        tiny_source(), ExportOptions("coreml", precision=precision, fft="native"), tmp_path
    )
    manifest = artifact.manifest
    assert manifest.fft_plan == {"4x4": "native"}
    assert (manifest.route, manifest.fallbacks) == ("torch.export", ())
    assert manifest.parity.max_rel_error <= (1e-4 if precision == "fp32" else 5e-2)
    assert manifest.parity.psnr_db >= 50  # on the worst of its pictures
    counts = load_program(artifact.path).operator_counts()
    # each of the one filter's two transforms: two axes, four products of real matrices each
    # but the first, whose input is real, and the last, whose output is
    assert counts["matmul"] == 12
    assert not [name for name in counts if "fft" in name or "complex" in name]


def test_native_works_by_torchscript_too(tmp_path, monkeypatch):
    monkeypatch.setattr(converter.CoreMLConverter, "routes", ("TorchScript",))
    options = ExportOptions("coreml", precision="fp32", fft="native")
    artifact = export_artifact(tiny_source(), options, tmp_path)
    assert artifact.manifest.route == "TorchScript"
    assert artifact.manifest.parity.max_rel_error <= 1e-5


def test_a_failing_torch_export_falls_back_to_torchscript(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("planted")

    monkeypatch.setattr(converter, "decomposed", fail)
    artifact = export_artifact(tiny_source(), ExportOptions("coreml", precision="fp32"), tmp_path)
    manifest = artifact.manifest
    assert manifest.route == "TorchScript"
    assert [(f["fft"], f["route"]) for f in manifest.fallbacks] == [
        ("auto", "torch.export"),
        ("separable", "torch.export"),
        ("dense", "torch.export"),
    ]
    assert {f["reason"] for f in manifest.fallbacks} == {
        "torch.export fails on tiny_fp32: planted."
    }
    assert manifest.parity.max_rel_error <= 1e-5


def test_a_wrong_plan_falls_back_to_the_one_that_agrees(tmp_path, monkeypatch):
    right = DensePlan.synthesise
    monkeypatch.setattr(DensePlan, "synthesise", lambda *args: -right(*args))
    artifact = export_artifact(tiny_source(), ExportOptions("coreml", precision="fp32"), tmp_path)
    assert set(artifact.manifest.fft_plan.values()) == {"separable"}
    (failure,) = artifact.manifest.fallbacks
    assert (failure["fft"], failure["route"]) == ("auto", "torch.export")
    assert "disagrees with PyTorch" in failure["reason"]


def test_metadata(half):
    program = load_program(half.path)
    metadata = program.metadata
    assert metadata.description == "digits: image classification at 64x64."
    assert metadata.author == f"affnet {__version__}"
    assert "MIT" in metadata.licence
    assert metadata.version == __version__
    assert json.loads(metadata.user_defined["labels"]) == list("0123456789")
    assert program.inputs[0].name == "image"
    assert "RGB" in program.inputs[0].description
    assert [output.name for output in program.outputs] == ["logits"]
    assert program.outputs[0].dtype == "float32"


def test_a_slice_of_everything_is_held(tmp_path):
    class Sliced(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, x):
            return self.network(x[:])[:, :]

    source = tiny_source()
    sliced = dataclasses.replace(source, model=Sliced(source.model).eval())
    artifact = export_artifact(sliced, ExportOptions("coreml", precision="fp32"), tmp_path)
    assert (artifact.manifest.route, artifact.manifest.fallbacks) == ("torch.export", ())
    assert artifact.manifest.parity.passed


def test_too_many_axes():
    output = SimpleNamespace(type=SimpleNamespace(shape=(1,) * 6))
    node = SimpleNamespace(operator="reshape", outputs=[output])
    program = SimpleNamespace(function=SimpleNamespace(walk=lambda: [node]))
    with pytest.raises(ConversionError, match="reshape makes a tensor of 6 axes"):
        converter._check_ranks(program)


def test_the_result_and_nothing_else(run, tmp_path, monkeypatch):
    temporary, output = tmp_path / "temporary", tmp_path / "output"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    done = run(
        "export", "tests.tiny:with_image", "-f", "coreml", "-o", output, "--quiet",
        "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.err == ""
    assert done.json["passed"] is True
    assert done.json["runtime"] == "coreml"
    names = {path.name for path in output.iterdir()}
    assert names == {"tiny_with_image.mlpackage", "tiny_with_image.mlpackage.manifest.json"}
    assert list(temporary.rglob("*.mlpackage")) == []


def test_verify_and_inspect(run, half):
    verified = run("verify", half.path, "--json", "--quiet")
    assert (verified.code, verified.err) == (0, "")
    assert verified.json["psnr_db"] == pytest.approx(half.manifest.parity.psnr_db)
    inspected = run("inspect", half.path, "--json")
    assert inspected.json["operators"]["layer_norm"] == 21
    assert inspected.json["labels"] == list("0123456789")


def test_failure_leaves_nothing(run, tmp_path, monkeypatch):
    def fail(*_, package_dir, **__):
        Path(package_dir).mkdir()
        raise AssertionError("no such luck\nand more")

    with quiet_coremltools() as coremltools:
        monkeypatch.setattr(coremltools, "convert", fail)
    done = run("export", "tests.tiny:with_image", "-f", "coreml", "-o", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.error.startswith("coremltools cannot convert tiny_with_image: no such luck.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--deployment-target", "iOS14"],
            "Unknown deployment target 'iOS14'; valid: iOS15, iOS16",
        ),
        (["--dynamic", "batch"], "drop --dynamic"),
        (["--precision", "int3"], "valid: fp16, fp32"),
        (["--layout", "nhwc"], "Unknown layout for coreml 'NHWC'; valid: NCHW"),
    ],
)
def test_refusals(run, tmp_path, options, sentence):
    done = run("export", "digits", "-f", "coreml", "-o", tmp_path / "out", *options)
    assert done.code == 2
    assert sentence in done.error
    assert list(tmp_path.glob("out/*")) == []


@pytest.mark.parametrize("option", [["--image-input"], ["--deployment-target", "iOS16"]])
def test_other_formats_refuse_its_options(run, tmp_path, option):
    done = run("export", "digits", "-f", "onnx", "-o", tmp_path, *option)
    assert done.code == 2
    assert done.error == f"{option[0]} does not apply to the format onnx."


def test_missing_package(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "coremltools", None)
    done = run("export", "digits", "-f", "coreml", "-o", tmp_path)
    assert done.code == 3
    assert done.error.endswith("run: pip install 'affnet[coreml]'")
    assert list(tmp_path.iterdir()) == []


def test_changed_package(run, copy):
    (copy / "Data/com.apple.CoreML/weights/weight.bin").unlink()
    done = run("verify", copy)
    assert done.code == 2
    assert "was changed or replaced after the export" in done.error


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("weights/weight.bin", None, "lacks its weight file"),
        ("weights/weight.bin", b"0" * 99, "weight"),
        ("model.mlmodel", b"\xff" * 99, "is damaged"),
    ],
)
def test_damaged_package(run, copy, file, content, sentence):
    path = copy / "Data/com.apple.CoreML" / file
    path.unlink() if content is None else path.write_bytes(content)
    trust_changes(copy)
    done = run("verify", copy)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.error


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_other_normalizations(tmp_path, precision):
    network = fill(tiny_net(attn_norm="layer_norm"))
    norms = sum(isinstance(part, ChannelLayerNorm) for part in network.modules())
    source = dataclasses.replace(tiny_source(), model=network)
    artifact = export_artifact(source, ExportOptions("coreml", precision=precision), tmp_path)
    assert_agrees(artifact)
    assert_normalised(artifact, "reduce_l2_norm", norms)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "norms"),
    [
        (short_source, 9),
        pytest.param(lambda: load_source("affnet_et"), 21, marks=pytest.mark.exhaustive),
    ],
    ids=["short", "whole"],
)
def test_affnet_et(tmp_path, source, norms):
    """The trained one, ``half``, is whole, and of smaller maps."""
    network = source()
    fill(network.model)
    artifact = export_artifact(network, ExportOptions("coreml"), tmp_path)
    assert artifact.manifest.inputs[0].shape == (1, 3, 256, 256)
    assert_agrees(artifact)
    assert_normalised(artifact, "layer_norm", norms)


def assert_agrees(artifact):
    parity = artifact.manifest.parity
    assert parity.max_rel_error <= (1e-4 if artifact.manifest.precision == "fp32" else 5e-2)
    assert parity.psnr_db >= 40
    assert parity.top1_agreement == 1
