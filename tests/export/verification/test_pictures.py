"""Files that resize pictures themselves, next to Pillow, and next to PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from affnet.artifact import Artifact
from affnet.errors import UsageError, VerificationError
from affnet.evaluation.pictures import look_at
from affnet.export.converters import get_converter
from affnet.export.passes import graph_pixels
from affnet.export.passes.graph_pixels import GraphPixels, resampling
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.reporting.artifact import inspection_fields, inspection_record
from affnet.export.verification.compare import verify_against
from affnet.export.verification.open import inputs_for
from affnet.export.verification.pictures import on_pictures
from affnet.export.verification.reference import Reference
from affnet.export.verification.subject import Subject
from affnet.preprocessing import Preprocessing, published
from affnet.runtimes import get_runtime, openvino, runtime_for
from tests.conftest import Finished
from tests.dense import CAT, Colours, dense_source
from tests.tiny import tiny_source

SIZES = [(48, 64), (36, 36), (90, 33), (20, 17), (1, 50)]  # smaller, equal, odd, larger, a line
FORMATS = ["onnx", pytest.param("tflite", marks=pytest.mark.converters)]


def picture(height: int, width: int) -> np.ndarray:
    """Return smooth colours with noise on them, which rounding shows best."""
    generator = np.random.default_rng(height)
    smooth = Image.fromarray(generator.integers(0, 256, (5, 7, 3), np.uint8)).resize(
        (width, height)
    )
    noisy = np.asarray(smooth).astype(int) + generator.integers(-20, 21, (height, width, 3))
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("format_", FORMATS)
def test_pixels_are_pillow_s_to_one_of_255(
    format_: str, task: str, layout: str, tmp_path: Path
) -> None:
    contract = dataclasses.replace(published(task, (32, 32)), mean=(0.4, 0.5, 0.6), std=(0.2,) * 3)
    for size in SIZES:
        pixels = GraphPixels(contract, size, layout)
        path = get_converter(format_).write_pixels(pixels, tmp_path)  # type: ignore[attr-defined]
        taken = picture(*size)
        feed = taken if layout == "NHWC" else np.ascontiguousarray(taken.transpose(2, 0, 1))
        (given,) = runtime_for(format_).load(path, threads=1).run(feed[None])
        found = given[0].transpose(2, 0, 1) if format_ == "tflite" else given[0]
        difference = np.abs(found - contract(Image.fromarray(taken))) * 0.2 * 255
        assert difference.max() <= 1.001


@pytest.mark.parametrize("filter_", ["bicubic", "bilinear"])
@pytest.mark.parametrize(("size", "result"), [(100, 30), (30, 100), (7, 7), (1, 9), (9, 1)])
def test_weights_are_pillow_s(filter_: str, size: int, result: int) -> None:
    matrix = resampling(size, result, filter_)
    row = np.random.default_rng(0).integers(0, 256, (1, size), np.uint8)
    wanted = Image.fromarray(row).resize((result, 1), Image.Resampling[filter_.upper()])
    found = np.floor(matrix.astype(np.float64) @ row[0] + 0.5).clip(0, 255)
    np.testing.assert_array_equal(found, np.asarray(wanted)[0])


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_with_the_steps_inside_sees_what_pytorch_sees(format_: str, tmp_path: Path) -> None:
    options = ExportOptions(format_, preprocess="graph", input_size=(48, 64), head="softmax")
    artifact = export_artifact(tiny_source(), options, tmp_path)
    manifest = artifact.manifest
    spec, contract = manifest.inputs[0], manifest.preprocessing
    assert (spec.shape, spec.dtype, spec.layout) == ((1, 48, 64, 3), "uint8", "NHWC")
    assert contract == dataclasses.replace(published("classification", (32, 32)), picture=(48, 64))
    assert Artifact.open(artifact.path).manifest == manifest
    assert manifest.parity is not None
    assert manifest.parity.passed
    shown = inspection_fields(inspection_record(artifact))
    assert shown["pixels"].startswith("by the file, of 48x64: RGB on white, EXIF orientation ")
    assert " of 255 off Pillow, " in shown["preprocessing inside"]
    assert manifest.details["pixels"]["largest"] <= 1.001
    assert manifest.details["pixels"]["equal"] > 0.99
    taken = picture(48, 64)
    Image.fromarray(taken).save(tmp_path / "shown.png")
    (seen,) = look_at(artifact, [tmp_path / "shown.png"], 0.0)
    outside = published("classification", (32, 32))(Image.fromarray(taken))
    with torch.inference_mode():
        (wanted,) = torch.softmax(tiny_source().model(torch.from_numpy(outside[None])), 1)
    scores = {int(one["label"].split()[-1]): one["score"] for one in seen.classes}
    assert scores == pytest.approx(dict(enumerate(wanted.tolist())), abs=1e-3)


def test_a_segmenter_takes_pictures_too(tmp_path: Path) -> None:
    options = ExportOptions("onnx", preprocess="graph", input_size=(40, 80), layout="NCHW")
    artifact = export_artifact(dense_source(Colours()), options, tmp_path)
    assert artifact.manifest.inputs[0].shape == (1, 3, 40, 80)
    red = np.zeros((1, 3, 40, 80), np.uint8)
    red[:, 0] = 255
    (scores,) = runtime_for("onnx").load(artifact.path, threads=1).run(red)
    assert np.unique(scores.argmax(axis=1)).tolist() == [CAT]


def in_tract(path: Path, taken: np.ndarray) -> np.ndarray:
    return get_runtime("tract").load(path, threads=1).run(taken)[0]


def in_openvino(path: Path, taken: np.ndarray) -> np.ndarray:
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    return np.asarray(openvino.library().Core().compile_model(path, "CPU", hint)([taken])[0])


@pytest.mark.converters
@pytest.mark.parametrize("run_file", [in_tract, in_openvino])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_other_runtimes_of_onnx_files_make_the_same_pixels(
    interpolation: Literal["bicubic", "bilinear"],
    run_file: Callable[[Path, np.ndarray], np.ndarray],
    tmp_path: Path,
) -> None:
    contract = published("classification", (32, 32))
    contract = dataclasses.replace(contract, interpolation=interpolation)
    taken = picture(90, 133)
    pixels = GraphPixels(contract, (90, 133), "NHWC")
    path = get_converter("onnx").write_pixels(pixels, tmp_path)  # type: ignore[attr-defined]
    difference = run_file(path, taken[None])[0] - contract(Image.fromarray(taken))
    assert np.abs(difference).max() * 255 <= 1.001


def test_a_wrong_file_of_pictures_is_found_wrong(tmp_path: Path) -> None:
    options = ExportOptions("onnx", preprocess="graph", input_size=(48, 64))
    artifact = export_artifact(tiny_source(), options, tmp_path)
    source, _ = on_pictures(tiny_source(), artifact.manifest)
    with torch.no_grad():
        next(source.model.parameters()).mul_(1.01)
    subject = Subject.of(artifact)
    assert not verify_against(subject, source, inputs_for(subject, Reference(source))).passed


def test_other_pixels_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(graph_pixels._KERNELS, "bicubic", graph_pixels._KERNELS["bilinear"])
    options = ExportOptions("onnx", preprocess="graph", input_size=(48, 64))
    with pytest.raises(VerificationError, match=r"differs from Pillow's by \d+\.\d of 255 on "):
        export_artifact(tiny_source(), options, tmp_path)
    assert not [*tmp_path.iterdir()]


def test_pictures_of_another_size_are_framed_as_by_a_camera() -> None:
    contract = Preprocessing("cover", (36, 36), "bicubic", (32, 32), picture=(48, 64))
    assert contract.pixels(Image.new("RGB", (300, 90))).shape == (48, 64, 3)
    same = picture(48, 64)
    np.testing.assert_array_equal(contract.pixels(Image.fromarray(same)), same)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--input-size", "9x9"), "--input-size is of the pictures that a file resizes itself"),
        (("--preprocess", "graph"), "--preprocess graph needs the size of the pictures"),
        (("--preprocess", "graph", "--input-size", "0x9"), "--input-size has sides of 1 to 16384"),
        (("--preprocess", "graph", "--input-size", "9x9", "-f", "torch"), "torch files have no"),
        (
            ("--preprocess", "graph", "--input-size", "9x9", "--dynamic", "batch"),
            "--preprocess graph is for one picture at a time",
        ),
    ],
)
def test_what_cannot_be_inside_is_said(options, sentence: str, run, tmp_path: Path) -> None:
    done: Finished = run("export", "digits", *options, "-o", tmp_path, "--quiet")
    assert done.code == 2
    assert done.error.startswith(sentence)
    with pytest.raises(UsageError, match="takes no pictures"):
        from affnet.model.source import load_source

        own = load_source("tests.tiny:determinant")
        export_artifact(own, ExportOptions("onnx", preprocess="graph", input_size=(9, 9)), tmp_path)
