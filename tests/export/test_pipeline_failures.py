"""Exports that fail: one sentence, and nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from affnet.artifact import Artifact
from affnet.errors import (
    AffnetError,
    ConversionError,
    ImageSizeError,
    UnknownNameError,
    VerificationError,
)
from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.verification.compare import verify_against
from affnet.export.verification.open import inputs_for
from affnet.export.verification.reference import Reference
from affnet.export.verification.subject import Subject
from affnet.model.source import load_source
from tests.tiny import tiny_source


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def wrong_dense_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    synthesise = DensePlan.synthesise

    def shifted(self: DensePlan, spectrum: Any, width: int) -> Tensor:
        return synthesise(self, spectrum, width).roll(-1, -1)

    monkeypatch.setattr(DensePlan, "synthesise", shifted)


@pytest.mark.parametrize("format_", ["onnx", "torch"])
@pytest.mark.usefixtures("wrong_dense_plan")
def test_an_artifact_that_disagrees_is_not_written(format_: str, tmp_path: Path) -> None:
    options = ExportOptions(format_, fft="dense")
    with pytest.raises(VerificationError) as error:
        export_artifact(tiny_source(), options, tmp_path)
    message = str(error.value)
    suffix = {"onnx": "onnx", "torch": "pt2"}[format_]
    assert message.startswith(f"The exported tiny.{suffix} disagrees with PyTorch in fp32 on ")
    assert ": its largest error is " in message
    assert " of the largest output, 1e-04 is allowed; its PSNR is " in message
    assert contents(tmp_path) == {}


def test_what_stood_there_before_stays_when_an_export_fails(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    options = ExportOptions("torch", fft="dense")
    export_artifact(tiny_source(), options, tmp_path)
    before = contents(tmp_path)
    request.getfixturevalue("wrong_dense_plan")
    with pytest.raises(VerificationError):
        export_artifact(tiny_source(), options, tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("wrong_dense_plan")
def test_without_verification_the_manifest_holds_no_parity(tmp_path: Path) -> None:
    options = ExportOptions("torch", fft="dense", verify=False)
    artifact = export_artifact(tiny_source(), options, tmp_path)
    assert artifact.manifest.parity is None
    subject, source = Subject.of(Artifact.open(artifact.path)), tiny_source()
    assert not verify_against(subject, source, inputs_for(subject, Reference(source))).passed


def test_a_conversion_that_fails_leaves_what_stood_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.onnx").write_text("before")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no rule for aten::foo\nand a long trace")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ConversionError) as error:
        export_artifact(tiny_source(), ExportOptions("onnx"), tmp_path)
    assert str(error.value) == ("torch.onnx cannot export tiny: no rule for aten::foo.")
    assert contents(tmp_path) == {"tiny.onnx": b"before"}


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            ExportOptions("tfjs"),
            UnknownNameError,
            "Unknown format 'tfjs'; valid: coreai, coreml, executorch, mnn, ncnn, onnx, openvino, "
            "tflite, torch.",
        ),
        (
            ExportOptions("onnx", precision="int4"),
            UnknownNameError,
            "Unknown precision for onnx 'int4'; valid: fp32, fp16, int8.",
        ),
        (
            ExportOptions("onnx", fft="fast"),
            UnknownNameError,
            "Unknown FFT plan 'fast'; "
            "valid: auto, measure, native, separable, folded, right, dense, channels_last, "
            "folded_channels_last, mixed_radix, mixed_radix_channels_last.",
        ),
        (
            ExportOptions("onnx", image_size=(33, 64)),
            ImageSizeError,
            "tiny cannot take 33x64 images: each side must be a multiple of 32, "
            "the smallest is 32x32.",
        ),
    ],
)
def test_options_that_do_not_exist_are_refused(
    options: ExportOptions, kind: type[AffnetError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(AffnetError) as error:
        export_artifact(tiny_source(), options, tmp_path)
    assert type(error.value) is kind
    assert str(error.value) == message
    assert contents(tmp_path) == {}


def test_a_failure_of_native_says_how_to_do_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no rule for aten::fft_rfftn")

    monkeypatch.setattr(torch.export, "export", fail)
    with pytest.raises(ConversionError) as error:
        export_artifact(tiny_source(), ExportOptions("torch", fft="native"), tmp_path)
    assert str(error.value) == (
        "torch.export fails on tiny: no rule for aten::fft_rfftn; omit --fft native to have "
        "the transforms replaced."
    )
    assert contents(tmp_path) == {}


class Solves(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.solve(x, torch.ones(4, 1))


def build_solves() -> tuple[nn.Module, Tensor]:
    return Solves(), torch.eye(4)[None] + 0.1


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
def test_a_network_that_takes_no_zeros_is_counted_on_its_example(tmp_path: Path) -> None:
    """Nothing before the converter, which has no solver, may stop at a matrix of zeros."""
    source = load_source(f"{__name__}:build_solves")
    with pytest.raises(ConversionError, match="_linalg_solve_ex"):
        export_artifact(source, ExportOptions("onnx"), tmp_path)
