"""Which paths an export tries, and what it tells of those that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from affnet.errors import ConversionError, VerificationError
from affnet.export.converters.coreml.converter import CoreMLConverter
from affnet.export.converters.fallbacks import Attempt, failure_of, plan_attempts
from affnet.export.converters.onnx import converter
from affnet.export.converters.onnx.converter import OnnxConverter
from affnet.export.converters.torch import TorchConverter
from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.pipeline import ExportOptions, export_artifact
from tests.tiny import tiny_source


def fail(*_: Any) -> Any:
    raise RuntimeError("planted")


def test_auto_tries_the_planner_then_each_plan_then_the_other_route() -> None:
    assert plan_attempts("auto", OnnxConverter, None) == [
        Attempt("auto", "torch.export", "fp32"),
        Attempt("separable", "torch.export", "fp32"),
        Attempt("right", "torch.export", "fp32"),
        Attempt("dense", "torch.export", "fp32"),
        Attempt("folded", "torch.export", "fp32"),
        Attempt("mixed_radix", "torch.export", "fp32"),
        Attempt("auto", "TorchScript", "fp32"),
    ]


def test_an_explicit_plan_is_the_only_one_tried() -> None:
    assert plan_attempts("dense", OnnxConverter, None) == [Attempt("dense", "torch.export", "fp32")]
    assert plan_attempts("auto", TorchConverter, None) == [
        Attempt("native", "torch.export", "fp32")
    ]


def test_a_default_of_float16_is_followed_by_float32() -> None:
    attempts = plan_attempts("auto", CoreMLConverter, None, with_plans=False)
    assert [(each.route, each.precision) for each in attempts] == [
        ("torch.export", "fp16"),
        ("torch.export", "fp32"),
        ("TorchScript", "fp16"),
        ("TorchScript", "fp32"),
    ]
    asked = plan_attempts("auto", CoreMLConverter, "fp16", with_plans=False)
    assert {each.precision for each in asked} == {"fp16"}


def test_a_failing_route_falls_back_to_the_other_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converter, "_by_torch_export", fail)
    steps: list[str] = []
    artifact = export_artifact(tiny_source(), ExportOptions("onnx"), tmp_path, steps.append)
    manifest = artifact.manifest
    assert manifest.route == "TorchScript"
    assert [f["fft"] for f in manifest.fallbacks] == [
        "auto",
        "separable",
        "right",
        "dense",
        "folded",
        "mixed_radix",
    ]
    assert {f["reason"] for f in manifest.fallbacks} == {"torch.onnx cannot export tiny: planted."}
    assert manifest.parity is not None
    assert manifest.parity.max_rel_error < 1e-5
    assert any("Trying --fft auto by TorchScript in fp32 instead" in step for step in steps)


def test_a_wrong_plan_falls_back_to_the_one_that_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planner takes the dense plan for the small map; with its sign wrong, it disagrees."""
    right = DensePlan.synthesise
    monkeypatch.setattr(DensePlan, "synthesise", lambda *args: -right(*args))
    artifact = export_artifact(tiny_source(), ExportOptions("onnx"), tmp_path)
    assert set(artifact.manifest.fft_plan.values()) == {"separable"}
    (failure,) = artifact.manifest.fallbacks
    assert failure["fft"] == "auto"
    assert "disagrees with PyTorch" in failure["reason"]


def test_a_file_that_its_runtime_rejects_falls_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, made = converter._by_torch_export, []

    def unknown_operator(*args: Any) -> Any:
        if not made:  # once for all attempts, whose files fail alike
            made.append(export(*args))
            made[0].graph.node[-1].op_type = "NoSuchOperator"
        return made[0]

    monkeypatch.setattr(converter, "_by_torch_export", unknown_operator)
    for check in ("_check", "_simplify"):
        monkeypatch.setattr(converter, check, lambda model, *_: model)
    artifact = export_artifact(tiny_source(), ExportOptions("onnx"), tmp_path)
    assert artifact.manifest.route == "TorchScript"
    assert len(artifact.manifest.fallbacks) == 6
    assert "ONNX Runtime rejects" in artifact.manifest.fallbacks[0]["reason"]


def test_when_all_paths_fail_each_reason_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def otherwise(*_: object) -> None:
        raise RuntimeError("a reason of its own")

    monkeypatch.setattr(converter, "_by_torch_export", fail)
    monkeypatch.setattr(converter, "_by_torchscript", otherwise)
    with pytest.raises(ConversionError) as error:
        export_artifact(tiny_source(), ExportOptions("onnx"), tmp_path)
    assert str(error.value) == (
        "torch.onnx cannot export tiny: planted; also tried without success: "
        "TorchScript (a reason of its own)."
    )
    assert list(tmp_path.iterdir()) == []


def test_attempts_that_fail_for_one_reason_are_named_together() -> None:
    auto, dense, folded = (
        Attempt(fft, "torch.export", "fp32") for fft in ("auto", "dense", "folded")
    )
    script = Attempt("auto", "TorchScript", "fp32")
    error = failure_of(
        [
            (auto, ConversionError("torch.onnx cannot export net: first.")),
            (dense, VerificationError("net.onnx disagrees.")),
            (folded, VerificationError("net.onnx disagrees.")),
            (script, ConversionError("torch.onnx cannot export net: first.")),
        ]
    )
    assert type(error) is ConversionError
    assert str(error) == (
        "torch.onnx cannot export net: first; also tried without success: "
        "dense by torch.export, folded by torch.export (net.onnx disagrees)."
    )


def test_attempts_in_another_precision_say_so() -> None:
    half, full = (Attempt("auto", "torch.export", precision) for precision in ("fp16", "fp32"))
    error = failure_of(
        [(half, VerificationError("net: NaN.")), (full, VerificationError("net: 0.1 off."))]
    )
    assert str(error) == "net: NaN; also tried without success: torch.export in fp32 (0.1 off)."
