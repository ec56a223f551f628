from __future__ import annotations

import dataclasses
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from affnet.artifact import Artifact, image_spec, logits_spec, manifest_path
from affnet.errors import ConversionError, MissingError
from affnet.evaluation.dense import DenseSubject
from affnet.export.converters import ConversionRequest
from affnet.export.converters.tflite.converter import TfliteConverter
from affnet.export.converters.tflite.metadata import Described, with_metadata
from affnet.export.fourier import planner
from affnet.export.fourier.planner import Candidate
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.runtimes.litert import LiteRtRuntime
from tests.conftest import Finished
from tests.dense import CAT, Colours, dense_source
from tests.shared_artifacts import SharedArtifacts
from tests.tiny import CLASSES, tiny_source

pytestmark = pytest.mark.converters


def request(size: tuple[int, int] = (8, 8), *, dynamic_batch: bool = False) -> ConversionRequest:
    image = image_spec(*size)
    if dynamic_batch:
        image = dataclasses.replace(image, shape=("batch", *image.shape[1:]))
    return ConversionRequest(
        "tiny", (image,), (logits_spec(10),), "fp32", "torch.export", native_fft=False
    )


def assert_proven(artifact: Artifact) -> None:
    parity = artifact.manifest.parity
    assert parity is not None
    assert parity.passed
    assert parity.max_rel_error <= 1e-4
    operators = LiteRtRuntime.operators(artifact.path)
    assert not [name for name in operators if "custom" in name.lower() or "DELEGATE" in name]
    assert operators["CONV_2D"] > 10


def test_the_file_agrees_with_pytorch_and_has_builtin_operators_only(
    digits_tflite: Artifact,
) -> None:
    assert_proven(digits_tflite)
    assert set(digits_tflite.manifest.fft_plan.values()) <= {*TfliteConverter.plans}
    stored = json.loads(manifest_path(digits_tflite.path).read_text())
    assert stored["inputs"][0]["shape"] == [1, 64, 64, 3]
    assert stored["tools"].keys() >= {"litert-torch", "ai-edge-litert", "torch"}


def test_float16_halves_the_weights_and_keeps_the_metadata(tmp_path: Path) -> None:
    artifact = export_artifact(tiny_source(), ExportOptions("tflite", precision="fp16"), tmp_path)
    assert artifact.path.name == "tiny_fp16.tflite"
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.psnr_db > 50
    # each weight in float16 is widened by an operator of its own
    assert LiteRtRuntime.operators(artifact.path)["DEQUANTIZE"] > 5
    assert LiteRtRuntime.describe(artifact.path).precision == "fp16"
    assert b"TFLITE_METADATA" in artifact.path.read_bytes()


def test_a_classifier_takes_channels_last_and_gives_probabilities(tiny_tflite: Artifact) -> None:
    artifact = tiny_tflite
    ((spec,), (given,)) = artifact.manifest.inputs, artifact.manifest.outputs
    assert (spec.shape, spec.layout, spec.range) == ((1, 32, 32, 3), "NHWC", (0.0, 1.0))
    assert (given.name, artifact.manifest.details["head"]) == ("probabilities", "softmax")
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error <= 1e-4
    image = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    ((found,),) = LiteRtRuntime.load(artifact.path, threads=1).run(image)
    with torch.inference_mode():
        (logits,) = tiny_source().model(torch.from_numpy(image.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(found, torch.softmax(logits, 0), atol=1e-6)


def test_logits_of_channels_first_are_had_by_two_options(tmp_path: Path) -> None:
    options = ExportOptions("tflite", layout="NCHW", head="logits")
    artifact = export_artifact(tiny_source(), options, tmp_path)
    assert artifact.manifest.inputs[0].shape == (1, 3, 32, 32)
    assert artifact.manifest.outputs == (logits_spec(CLASSES),)
    assert "head" not in artifact.manifest.details


def test_maps_of_a_dense_network_are_channels_last_too(tmp_path: Path) -> None:
    artifact = export_artifact(dense_source(Colours()), ExportOptions("tflite"), tmp_path)
    (scores,) = artifact.manifest.outputs
    assert (scores.shape, scores.class_axis) == ((1, 64, 64, 21), 3)
    red = Image.new("RGB", (64, 64), "red")
    assert np.unique(DenseSubject.of_artifact(artifact).class_map(red)).tolist() == [CAT]


def test_labels_and_metadata_are_in_the_file(digits_tflite: Artifact) -> None:
    from ai_edge_litert import schema_py_generated as schema

    assert digits_tflite.manifest.labels == tuple("0123456789")
    with zipfile.ZipFile(digits_tflite.path) as archive:
        assert archive.read("labels.txt").decode().split() == list("0123456789")
    model = schema.ModelT.InitFromPackedBuf(digits_tflite.path.read_bytes())
    (entry,) = (entry for entry in model.metadata if entry.name == b"TFLITE_METADATA")
    described = bytes(model.buffers[entry.buffer].data)
    assert described[4:8] == b"M001"
    assert all(word in described for word in (b"digits", b"image", b"probabilities", b"labels.txt"))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_its_normalization_makes_the_pixels_of_the_range(
    digits_tflite: Artifact, low: float, high: float
) -> None:
    """Read as TFLite's metadata schema has it: a value is (pixel - mean) / deviation."""
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import number_types
    from flatbuffers.table import Table

    outputs = digits_tflite.manifest.outputs
    described = Described("again", "classification", (low, high), outputs, None)
    content = with_metadata(digits_tflite.path.read_bytes(), described)
    model = schema.ModelT.InitFromPackedBuf(content)
    *_, entry = (entry for entry in model.metadata if entry.name == b"TFLITE_METADATA")
    written = bytearray(bytes(model.buffers[entry.buffer].data))

    def inside(table: Table, field: int, *, listed: bool) -> Table:
        offset = table.Offset(4 + 2 * field)
        at = table.Vector(offset) if listed else table.Pos + offset
        return Table(written, table.Indirect(at))

    unit = Table(written, Table(written, 0).Get(number_types.UOffsetTFlags, 0))
    for field in (3, 2, 4):  # of the model, its graph, and its image: subgraphs, inputs, steps
        unit = inside(unit, field, listed=True)
    options = inside(unit, 1, listed=False)
    mean, deviation = (
        options.Get(number_types.Float32Flags, options.Vector(options.Offset(4 + 2 * field)))
        for field in (0, 1)
    )
    assert (0 - mean) / deviation == pytest.approx(low, abs=1e-6)
    assert (255 - mean) / deviation == pytest.approx(high, rel=1e-6)


def test_metadata_keeps_the_weights_aligned(digits_tflite: Artifact) -> None:
    from ai_edge_litert import schema_py_generated as schema

    outputs = digits_tflite.manifest.outputs
    described = Described("again", "classification", (-1.0, 1.0), outputs, None)
    content = with_metadata(digits_tflite.path.read_bytes(), described)
    model = schema.Model.GetRootAs(content)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    starts = [b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength()]
    assert len(starts) > 100
    assert all(start % 16 == 0 for start in starts)


def test_the_commands_print_the_result_and_nothing_else(
    run: Callable[..., Finished], tmp_path: Path, digits_tflite: Artifact
) -> None:
    done = run(
        "export", "tests.tiny:with_image", "-f", "tflite", "-o", tmp_path, "--json",
        "--quiet",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert (done.json["format"], done.json["runtime"]) == ("tflite", "litert")
    assert {path.name for path in tmp_path.iterdir()} == {
        "tiny_with_image.tflite",
        "tiny_with_image.tflite.manifest.json",
    }
    path = digits_tflite.path

    verified = run("verify", path, "--held-out", "--json", "--quiet")
    assert (verified.code, verified.err) == (0, "")
    assert verified.json["held_out"]["agreeing"] == verified.json["held_out"]["images"]

    inspected = run("inspect", path, "--json")
    assert (inspected.code, inspected.err) == (0, "")
    assert inspected.json["inputs"][0]["shape"] == [1, 64, 64, 3]
    assert "DELEGATE" not in inspected.json["operators"]

    measured = run("bench", path, "--runtime", "litert", "--preset", "check", "--json", "--quiet")
    assert measured.code == 0
    assert measured.json["results"][0]["runtime"] == "litert"


def test_what_cannot_be_converted_is_one_sentence_and_leaves_nothing(
    run: Callable[..., Finished], tmp_path: Path
) -> None:
    done = run("export", "tests.tiny:determinant", "-f", "tflite", "-o", tmp_path, "--quiet")
    assert (done.code, done.out) == (1, "")
    assert done.error.startswith("litert-torch cannot convert tiny_determinant: ")
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_native_takes_litert_s_own_transform_both_ways(layout: str, tmp_path: Path) -> None:
    options = ExportOptions("tflite", fft="native", layout=layout)
    artifact = export_artifact(tiny_source(), options, tmp_path)
    manifest = artifact.manifest
    assert manifest.fft_plan == {"4x4": "native"}
    assert (manifest.inputs[0].layout, manifest.fallbacks) == (layout, ())
    assert manifest.parity is not None
    assert manifest.parity.max_rel_error <= 1e-5
    operators = LiteRtRuntime.operators(artifact.path)
    assert operators["RFFT2D"] == operators["REAL"] == operators["IMAG"] == 2
    assert not [name for name in operators if name.startswith("custom")]


def test_litert_s_own_transform_takes_powers_of_two_only(tmp_path: Path) -> None:
    options = ExportOptions("tflite", fft="native", image_size=(96, 64))
    with pytest.raises(ConversionError) as error:
        export_artifact(tiny_source(), options, tmp_path)
    assert str(error.value) == (
        "LiteRT's RFFT2D takes powers of two, the width at least 2, not maps of 12x8; omit --fft "
        "native to have the transforms replaced."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_cannot_be_converted_falls_back_to_the_one_that_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a second plan in the format, the planner takes it; its product has too many axes."""
    monkeypatch.setattr(TfliteConverter, "plans", ("right", "dense"))
    monkeypatch.setattr(planner, "rank_plans", lambda *_: [Candidate("dense", 1.0)])
    options = ExportOptions("tflite", layout="NCHW")
    artifact = export_artifact(tiny_source(), options, tmp_path)
    assert set(artifact.manifest.fft_plan.values()) == {"right"}
    (failure,) = artifact.manifest.fallbacks
    assert failure["fft"] == "auto"
    assert failure["reason"].startswith("litert-torch cannot convert tiny: ")


def test_an_operator_without_a_builtin_form_is_refused(tmp_path: Path) -> None:
    class Spectrum(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.fft.rfft2(x, norm="ortho").abs()

    with pytest.raises(ConversionError, match="litert-torch cannot convert tiny: "):
        TfliteConverter().convert(Spectrum(), request(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_custom_operators_are_named(
    digits_tflite: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from affnet.export.converters.tflite import converter

    counts = {"CONV_2D": 1, "custom::FlexRFFT2D": 2}
    monkeypatch.setattr(LiteRtRuntime, "operators", classmethod(lambda *_: counts))
    content = digits_tflite.path.read_bytes()
    monkeypatch.setattr(converter, "_converted", lambda *_: content)
    with pytest.raises(ConversionError, match=r"remain: FlexRFFT2D\.$"):
        TfliteConverter().convert(nn.Identity(), request(), tmp_path)


@pytest.mark.parametrize("option", ["--dynamic=batch", "--precision=int3"])
def test_what_the_format_cannot_hold_is_wrong_use(
    run: Callable[..., Finished], tmp_path: Path, option: str
) -> None:
    done = run("export", "digits", "-f", "tflite", option, "-o", tmp_path / "out", "--quiet")
    assert (done.code, done.out) == (2, "")
    assert "tflite" in done.error.lower()
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("package", ["litert_torch", "ai_edge_litert"])
def test_a_missing_package_is_named_with_its_command(
    run: Callable[..., Finished],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    done = run("export", "digits", "-f", "tflite", "-o", tmp_path)
    assert done.code == 3
    assert package in done.error
    assert "pip install 'affnet[tflite]'" in done.error
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_does_not_import_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "packages" / "litert_torch"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("import no_such_package_at_all\n")
    for name in [name for name in sys.modules if name.split(".")[0] == "litert_torch"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(folder.parent))
    with pytest.raises(MissingError, match="no_such_package_at_all"):
        TfliteConverter().convert(nn.Identity(), request(), tmp_path)


def test_images_need_not_be_square(tmp_path: Path) -> None:
    artifact = export_artifact(tiny_source(), ExportOptions("tflite", (192, 320)), tmp_path)
    assert list(artifact.manifest.fft_plan) == ["24x40"]
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error <= 1e-4
    assert LiteRtRuntime.describe(artifact.path).inputs[0].shape == (1, 192, 320, 3)


@pytest.mark.exhaustive  # the trained AFFNet-ET, ``digits``, is a sample of them
@pytest.mark.parametrize("size", [(192, 320), (256, 256)])
def test_affnet_et_agrees_with_pytorch(
    size: tuple[int, int], shared_artifact: SharedArtifacts
) -> None:
    artifact = shared_artifact("affnet_et", "tflite", image_size=size)
    assert_proven(artifact)
    stored = json.loads(manifest_path(artifact.path).read_text())
    assert stored["inputs"][0]["shape"] == [1, *size, 3]
    assert stored["tools"].keys() >= {"litert-torch", "ai-edge-litert", "torch"}
