"""Choosing the fastest precision that keeps the accuracy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact, manifest_path
from affnet.errors import AccuracyError, ConversionError
from affnet.export.autotuning import precision_search
from affnet.export.autotuning.precision_search import choose_precision
from affnet.export.autotuning.report import choice_caption, choice_record, choice_table
from affnet.export.pipeline import ExportOptions
from affnet.export.quantization.calibration import load_calibration
from tests.tiny import tiny_source

SIZES = {"fp32": 400, "fp16": 200, "int8": 100}


class FixedTimer:
    """Gives each precision the latency it is told to."""

    machine, runtime, threads = "none", "a runtime 1.0", 1

    def __init__(self, latencies_us: dict[str, float]) -> None:
        self._latencies_us = latencies_us

    def medians_us(self, artifacts: Sequence[Artifact]) -> list[float]:
        return [self._latencies_us[artifact.manifest.precision] for artifact in artifacts]


def options(max_drop: float = 1.0) -> ExportOptions:
    calibration = load_calibration(tiny_source(), "bundled", 4)
    return ExportOptions("onnx", calibration=calibration, max_accuracy_drop=max_drop)


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch, digits_onnx: Artifact) -> dict[str, Any]:
    """Points that each precision loses, or the error that its export ends with; no file is run."""
    found: dict[str, Any] = {"fp32": 0.0, "fp16": 0.0, "int8": 0.0}

    def export(
        _source: Any, chosen: ExportOptions, output: Path, _progress: Any, _reference: Any
    ) -> Artifact:
        precision, loss = str(chosen.precision), found[str(chosen.precision)]
        if isinstance(loss, Exception):
            raise loss
        assert chosen.max_accuracy_drop is not None
        if loss > chosen.max_accuracy_drop:
            raise AccuracyError(f"It loses {loss} points.", [(0, loss)])
        output.mkdir(exist_ok=True)
        path = output / f"tiny_{precision}.onnx"
        path.write_bytes(bytes(SIZES[precision]))
        details = {"judged_on": "4 images", "top1": 0.9, "top1_pytorch": 0.9, "accuracy_drop": loss}
        if precision == "int8":
            details["float_parts"] = [{"part": "stem", "error": 0.5}]
        manifest = dataclasses.replace(
            digits_onnx.manifest, precision=precision, details=details, sha256="0"
        )
        manifest_path(path).write_text(manifest.to_json())
        return Artifact(path, manifest)

    monkeypatch.setattr(precision_search, "export_bounded", export)
    monkeypatch.setattr(precision_search, "export_once", export)
    return found


def chosen(found: precision_search.Choice) -> str | None:
    return found.artifact.manifest.precision if found.artifact else None


def verdicts(found: precision_search.Choice) -> dict[str, str]:
    return {candidate.precision: candidate.verdict for candidate in found.candidates}


@pytest.mark.usefixtures("losses")
def test_the_fastest_is_taken_and_nothing_else_is_left(tmp_path: Path) -> None:
    timer = FixedTimer({"fp32": 100.0, "fp16": 150.0, "int8": 120.0})
    found = choose_precision(tiny_source(), options(), tmp_path, timer)
    assert chosen(found) == "fp32"
    assert verdicts(found) == {"fp32": "taken", "fp16": "slower", "int8": "slower"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tiny_fp32.onnx",
        "tiny_fp32.onnx.manifest.json",
    ]


@pytest.mark.usefixtures("losses")
def test_of_files_as_fast_as_each_other_the_smallest_is_taken(tmp_path: Path) -> None:
    timer = FixedTimer({"fp32": 100.0, "fp16": 102.0, "int8": 104.0})
    found = choose_precision(tiny_source(), options(), tmp_path, timer)
    assert verdicts(found) == {"fp32": "larger", "fp16": "taken", "int8": "slower"}


@pytest.mark.usefixtures("losses")
def test_without_a_timer_the_smallest_is_taken(tmp_path: Path) -> None:
    found = choose_precision(tiny_source(), options(), tmp_path, None)
    assert verdicts(found) == {"fp32": "larger", "fp16": "larger", "int8": "taken"}
    assert found.timed_by is None
    assert "latency: not measured" in choice_caption(found)


def test_what_loses_too_much_is_measured_and_not_taken(
    tmp_path: Path, losses: dict[str, Any]
) -> None:
    losses["int8"] = 7.5
    timer = FixedTimer({"fp32": 100.0, "fp16": 90.0, "int8": 10.0})
    found = choose_precision(tiny_source(), options(), tmp_path, timer)
    assert chosen(found) == "fp16"
    assert verdicts(found)["int8"] == "loses more than 1 points, whatever stays in float32"
    *_, row = choice_record(found)["tried"]
    assert (row["drop_points"], row["latency_us"], row["holds"]) == (7.5, 10.0, False)
    assert len(choice_table(found).rows) == 3


def test_a_bound_that_nothing_holds_leaves_nothing(tmp_path: Path, losses: dict[str, Any]) -> None:
    losses |= {"fp32": 3.0, "fp16": 4.0, "int8": 5.0}
    found = choose_precision(tiny_source(), options(), tmp_path / "new", None)
    assert found.artifact is None
    assert [candidate.drop_points for candidate in found.candidates] == [3.0, 4.0, 5.0]
    assert list(tmp_path.iterdir()) == []


def test_a_precision_that_cannot_be_exported_is_told(
    tmp_path: Path, losses: dict[str, Any]
) -> None:
    losses["fp16"] = ConversionError("It has no such operator.")
    found = choose_precision(tiny_source(), options(), tmp_path, None)
    assert verdicts(found)["fp16"] == "failed: It has no such operator."
    losses |= {"fp32": losses["fp16"], "int8": losses["fp16"]}
    with pytest.raises(ConversionError, match="No precision can be exported: It has no such"):
        choose_precision(tiny_source(), options(), tmp_path, None)
