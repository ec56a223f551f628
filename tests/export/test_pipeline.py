"""From a source to a verified artifact: what is written."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from packaging.version import Version

from affnet import __version__
from affnet.artifact import Artifact, manifest_path
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.files import content_sha256
from affnet.model.cost import count_macs, count_parameters
from affnet.model.source import load_source
from tests.tiny import CLASSES, noise, short_source, tiny_net, tiny_source

needs_dft = pytest.mark.skipif(
    Version(onnx.__version__) < Version("1.21")
    or Version(onnxruntime.__version__) < Version("1.27"),
    reason="onnx before 1.21 and onnxruntime before 1.27 know no DFT back from half a spectrum",
)


def operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def assert_runs_batches(artifact: Artifact, model: torch.nn.Module, counts: list[int]) -> None:
    session = onnxruntime.InferenceSession(artifact.path, providers=["CPUExecutionProvider"])
    size = artifact.manifest.inputs[0].static_shape()[2:]
    for count in counts:
        images = noise(count, 3, *size, seed=count)
        (actual,) = session.run(None, {"image": images.numpy()})
        with torch.inference_mode():
            expected = model(images).numpy()
        assert actual.shape == expected.shape
        assert np.abs(actual - expected).max() < 1e-5 * np.abs(expected).max()


def test_the_bundled_network_becomes_plain_onnx_of_opset_18(digits_onnx: Artifact) -> None:
    model = onnx.load(digits_onnx.path)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions
    types = {node.op_type for node in model.graph.node}
    assert not types & {"DFT", "STFT", "Einsum", "Complex", "Loop", "If"}
    shapes = [
        [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert shapes == [[1, 3, 64, 64], [1, 10]]


def test_the_manifest_tells_all_that_is_known(digits_onnx: Artifact) -> None:
    manifest, source = digits_onnx.manifest, load_source("digits")
    assert (manifest.model, manifest.format, manifest.precision) == ("digits", "onnx", "fp32")
    assert manifest.sha256 == content_sha256(digits_onnx.path)
    (image,), (logits,) = manifest.inputs, manifest.outputs
    assert (image.name, image.shape, image.dtype) == ("image", (1, 3, 64, 64), "float32")
    assert (image.layout, image.range) == ("NCHW", (0.0, 1.0))
    assert (logits.name, logits.shape, logits.dtype) == ("logits", (1, 10), "float32")
    assert manifest.labels == tuple("0123456789")
    assert (manifest.route, manifest.fallbacks) == ("torch.export", ())
    assert manifest.details == {"opset": 18}
    assert manifest.fft_plan == {"8x8": "dense", "4x4": "dense", "2x2": "dense"}
    assert manifest.provenance == source.provenance
    assert manifest.parameters == count_parameters(source.model)
    assert 0.95 < manifest.macs / count_macs(source.model, (torch.zeros(1, 3, 64, 64),)) < 1.2
    assert manifest.published is None
    assert list(manifest.tools) == ["affnet", "torch", "onnx", "onnxscript", "onnxsim"]
    assert manifest.tools["affnet"] == __version__
    assert manifest.tools["onnx"] == importlib.metadata.version("onnx")
    assert manifest.parity is not None
    assert manifest.parity.passed
    assert (manifest.parity.inputs, manifest.parity.top1_agreement) == (8, 1.0)
    assert manifest.parity.max_rel_error < 1e-5


def test_artifact_and_manifest_stand_alone_in_their_folder(digits_onnx: Artifact) -> None:
    assert sorted(path.name for path in digits_onnx.path.parent.iterdir()) == [
        "digits.onnx",
        "digits.onnx.manifest.json",
    ]
    assert Artifact.open(digits_onnx.path) == digits_onnx
    text = manifest_path(digits_onnx.path).read_text()
    assert set(json.loads(text)) == {
        "schema",
        *(field.name for field in dataclasses.fields(digits_onnx.manifest)),
    }


def test_the_bundled_network_becomes_an_exported_program(digits_pt2: Artifact) -> None:
    manifest = digits_pt2.manifest
    assert digits_pt2.path.name == "digits.pt2"
    assert manifest.fft_plan == {"8x8": "native", "4x4": "native", "2x2": "native"}
    assert manifest.parity is not None
    assert manifest.parity.max_rel_error < 1e-5
    assert list(manifest.tools) == ["affnet", "torch"]


@needs_dft
def test_native_keeps_dft_nodes_and_raises_the_opset(tmp_path: Path) -> None:
    artifact = export_artifact(tiny_source(), ExportOptions("onnx", fft="native"), tmp_path)
    types = operators(artifact.path)
    assert types.count("DFT") == 4  # two axes, there and back
    assert artifact.manifest.details == {"opset": 20}
    assert artifact.manifest.fft_plan == {"4x4": "native"}
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error < 1e-5


@pytest.mark.parametrize("fft", ["separable", "dense"])
def test_a_named_plan_is_taken(fft: str, tmp_path: Path) -> None:
    options = ExportOptions("torch", image_size=(32, 64), fft=fft)
    artifact = export_artifact(tiny_source(), options, tmp_path)
    assert artifact.manifest.fft_plan == {"4x8": fft}
    assert artifact.manifest.inputs[0].shape == (1, 3, 32, 64)


@pytest.mark.parametrize("fft", ["auto", pytest.param("native", marks=needs_dft), "separable"])
def test_a_dynamic_batch_runs_one_two_and_three_images(fft: str, tmp_path: Path) -> None:
    source = tiny_source()
    options = ExportOptions("onnx", dynamic_batch=True, fft=fft)
    artifact = export_artifact(source, options, tmp_path)
    assert artifact.manifest.inputs[0].shape == ("batch", 3, 32, 32)
    assert artifact.manifest.outputs[0].shape == ("batch", CLASSES)
    assert_runs_batches(artifact, source.model, [1, 2, 3])


def test_an_exported_program_may_have_a_dynamic_batch_too(tmp_path: Path) -> None:
    source = tiny_source()
    options = ExportOptions("torch", dynamic_batch=True)
    artifact = export_artifact(source, options, tmp_path)
    images = noise(3, 3, 32, 32)
    program = torch.export.load(artifact.path).module()
    with torch.inference_mode():
        assert torch.allclose(program(images), source.model(images), atol=1e-6)


def test_all_parts_of_affnet_take_a_dynamic_batch(tmp_path: Path) -> None:
    source = short_source()
    artifact = export_artifact(
        source, ExportOptions("onnx", (64, 64), dynamic_batch=True), tmp_path
    )
    assert_runs_batches(artifact, source.model, [1, 2, 3, 7])


def test_images_need_not_be_square(tmp_path: Path) -> None:
    source = short_source()
    artifact = export_artifact(source, ExportOptions("onnx", (192, 320)), tmp_path)
    plan = {"24x40": "separable", "12x20": "right", "6x10": "dense"}
    assert artifact.manifest.fft_plan == plan
    assert artifact.manifest.published == dataclasses.asdict(source.published)
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error < 5e-5
    assert_runs_batches(artifact, source.model, [1])


def test_the_other_normalisation_agrees(tmp_path: Path) -> None:
    network = tiny_net(attn_norm="layer_norm")
    source = dataclasses.replace(tiny_source(), model=network)
    artifact = export_artifact(source, ExportOptions("onnx", (192, 320)), tmp_path)
    assert list(artifact.manifest.fft_plan) == ["24x40"]
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error < 5e-5
    assert_runs_batches(artifact, network, [1])


def test_exporting_leaves_the_source_as_it_was(tmp_path: Path) -> None:
    source = tiny_source()
    before = {key: value.clone() for key, value in source.model.state_dict().items()}
    structure = str(source.model)
    export_artifact(source, ExportOptions("torch", fft="dense"), tmp_path)
    assert str(source.model) == structure
    for key, value in source.model.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_progress_names_each_step(tmp_path: Path) -> None:
    steps: list[str] = []
    export_artifact(tiny_source(), ExportOptions("torch"), tmp_path, steps.append)
    assert steps == [
        "Preparing tiny for inputs of 1 x 3 x 32 x 32",
        "Converting tiny to torch",
        "Running tiny.pt2 and comparing it with PyTorch",
    ]
