"""Requests: as JSON, validated once, and carried out by a process of its own."""

from __future__ import annotations

import subprocess
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from affnet.errors import (
    AccuracyError,
    AffnetError,
    ImageSizeError,
    MissingError,
    UnknownNameError,
    UsageError,
    from_wire,
    to_wire,
)
from affnet.export.all_formats import export_all, requests_of
from affnet.export.autotuning.plan_timing import Timer
from affnet.export.options import ExportOptions, check_options
from affnet.export.request import ExportRequest, check_combination
from affnet.export.resolve import ResolvedExport, resolve
from affnet.model.source import load_source
from tests.tiny import tiny_source


def no_timer(*_: Any, **__: Any) -> AbstractContextManager[Timer]:
    raise AssertionError("nothing is to be timed")


def test_a_request_survives_json() -> None:
    request = ExportRequest("digits", image_size=(64, 96), verify_on="inputs", verify=False)
    assert ExportRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"max_accuracy_drop": 0.5}, "is for precisions that cost accuracy; add --precision int8"),
        ({"max_accuracy_drop": 101.0, "precision": "int8"}, "must be 0 to 100 points, not 101"),
        ({"device": "rpi"}, "add --fft measure or --precision auto"),
        ({"verify_on": "inputs", "verify": False}, "drop one of them"),
        ({"precision": "auto", "verify": False}, "drop --no-verify"),
        ({"format": "all", "fft": "measure"}, "export one format at a time"),
    ],
)
def test_a_contradiction_is_refused_before_anything_is_loaded(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        check_combination(ExportRequest("a checkpoint that is not there", **changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "onnx", "precision": "palette4"}, "Unknown precision for onnx 'palette4'"),
        ({"image_size": (50, 50)}, "digits cannot take 50x50 images"),
        ({"fft": "quick"}, "Unknown FFT plan 'quick'"),
        ({"fft": "measure", "layout": "NHCW"}, "Unknown layout for onnx 'NHCW'"),  # before timing
        ({"precision": "auto", "head": "nms"}, "nms"),
    ],
)
def test_what_the_source_or_format_cannot_do_is_refused(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AffnetError, match=sentence):
        resolve(ExportRequest("digits", **changes), no_timer)


def test_a_trained_network_gets_a_bound_where_its_precision_costs_accuracy() -> None:
    found = resolve(ExportRequest("digits", precision="int8", calibration_samples=4), no_timer)
    assert found.options.max_accuracy_drop == 1.0
    assert found.options.calibration is not None
    assert len(found.options.calibration.images) == 4
    assert "with fewer than 100" in " ".join(found.notes)
    plain = resolve(ExportRequest("digits"), no_timer).options
    assert (plain.max_accuracy_drop, plain.calibration) == (None, None)


def test_a_search_needs_a_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    def detector(*_: Any, **__: Any) -> Any:
        source = load_source("digits")
        object.__setattr__(source, "task", "detection")
        return source

    monkeypatch.setattr("affnet.export.resolve.load_source", detector)
    with pytest.raises(UsageError, match="is not a classifier; --precision auto and"):
        resolve(ExportRequest("digits", precision="auto"), no_timer)


def test_several_formats_and_precisions_are_a_request_for_each_file() -> None:
    asked = ExportRequest(
        "digits",
        format="onnx,coreml",
        precision="fp32,int8,palette4",
        calibration_data="bundled",
    )
    found, lacking = requests_of(asked)
    assert [(one.format, one.precision, one.calibration_data) for one in found] == [
        ("onnx", "fp32", None),
        ("coreml", "fp32", None),
        ("onnx", "int8", "bundled"),
        ("coreml", "palette4", "bundled"),
    ]
    assert lacking == []
    with pytest.raises(UnknownNameError, match="Unknown precision for onnx 'palette4'; valid"):
        requests_of(ExportRequest("digits", format="onnx", precision="fp32,palette4"))


def test_formats_that_a_device_does_not_run_are_not_proven_there_and_it_is_said() -> None:
    asked = ExportRequest("digits", format="onnx,coreml", prove_on="arm64,arm64:cortex-a53")
    found, lacking = requests_of(asked)
    assert [one.prove_on for one in found] == ["arm64,arm64:cortex-a53", None]
    assert lacking == [
        "arm64 does not run coreml files, which are not proven there.",
        "arm64:cortex-a53 does not run coreml files, which are not proven there.",
    ]


@pytest.mark.parametrize(("weights", "said"), [("random (seed 0)", True), ("trained", False)])
def test_random_weights_judge_no_precision_unnoticed(weights: str, said: bool) -> None:
    source = tiny_source()
    source = replace(source, provenance=replace(source.provenance, weights=weights))
    options = ExportOptions("onnx", precision="auto", max_accuracy_drop=1.0)
    notes = ResolvedExport(ExportRequest("tiny"), source, options, Path()).notes
    assert ("The weights of tiny are random" in " ".join(notes)) is said


def test_a_target_is_for_8_bit_weights() -> None:
    precisions = ExportRequest("digits", precision="fp32,int8", target="arm")
    assert [one.target for one in requests_of(precisions)[0]] == ["any", "arm"]
    with pytest.raises(UsageError, match="add --precision int8 or auto"):
        check_combination(ExportRequest("digits", precision="fp16", target="arm"))
    with pytest.raises(UnknownNameError, match="Unknown target 'riscv'; valid: arm, x86, any"):
        check_options(tiny_source(), ExportOptions("onnx", target="riscv"))


def test_a_worker_that_crashes_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "affnet.processes.module_command"
    monkeypatch.setattr(module, lambda _: ["sh", "-c", "cat; echo out of memory >&2; exit 9"])
    request = ExportRequest("digits", output=str(tmp_path))
    (outcome,) = export_all([request], lambda _: None)
    assert str(outcome.error) == "The export to onnx crashed: out of memory."
    assert outcome.exit_code == 1


def test_errors_cross_the_wire_with_class_and_fields() -> None:
    wrong_size = from_wire(to_wire(ImageSizeError("digits cannot take 50x50 images.")))
    assert (type(wrong_size), wrong_size.exit_code) == (ImageSizeError, 2)
    assert isinstance(wrong_size, UsageError)
    error = from_wire(to_wire(AccuracyError("It loses 3 points.", [(2, 3.0)])))
    assert isinstance(error, AccuracyError)
    assert (str(error), error.attempts) == ("It loses 3 points.", ((2, 3.0),))
    with pytest.raises(MissingError, match=r"^No runtime here\.$"):
        raise from_wire(to_wire(MissingError("No runtime here.")))


def test_the_worker_lets_nothing_but_its_answer_reach_stdout(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("print('hello')\nraise ImportError('no such module')\n")
    from affnet.processes import module_command, module_environment

    done = subprocess.run(
        module_command("affnet.export.worker"),
        input=ExportRequest("loud:build").to_json(),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=module_environment(),
    )
    assert done.returncode == 0
    assert done.stdout.startswith('{"error": {"kinds": ["UsageError"')
    assert "hello" in done.stderr
