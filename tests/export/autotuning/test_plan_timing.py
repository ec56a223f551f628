"""Choosing plans by timing them, with a timer that says what the test wants."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.errors import ConversionError, UsageError
from affnet.export.autotuning.plan_cache import PlanCache
from affnet.export.autotuning.plan_timing import MeasuredCosts, block, measure_plans
from affnet.export.converters.onnx.converter import OnnxConverter
from affnet.export.fourier.plans.base import MapSize
from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.options import settled
from affnet.export.passes.heads import NO_HEAD
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.mixers.alone import mixer_source
from affnet.runtimes import runtime_for
from tests.tiny import tiny_source

SIZE = MapSize(16, 4, 4)  # what the tiny network's filter sees
FLOOR_US = 100.0


class FakeTimer:
    """A device on which a filter takes ``costs[plan]``."""

    machine, runtime, threads = "a phone", "onnxruntime 1", 1

    def __init__(self, **costs: float) -> None:
        self.costs = costs
        self.timed: list[list[dict[str, str]]] = []

    def medians_us(self, artifacts: Sequence[Artifact]) -> list[float]:
        plans = [artifact.manifest.fft_plan for artifact in artifacts]
        self.timed.append(plans)
        for artifact in artifacts:
            assert runtime_for("onnx").operators(artifact.path)
        return [FLOOR_US + self.costs[plan["4x4"]] if plan else FLOOR_US for plan in plans]


@pytest.fixture
def plan_cache(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path / "wisdom.json")


def test_the_fastest_is_chosen_and_what_is_known_is_not_timed_again(
    plan_cache: PlanCache, tmp_path: Path
) -> None:
    timer, steps = FakeTimer(separable=7.0, right=3.0, dense=5.0), []
    costs = measure_plans([SIZE, SIZE], "onnx", timer, plan_cache, steps.append)
    assert {plan: costs.microseconds(plan, SIZE) for plan in timer.costs} == timer.costs
    assert len(timer.timed) == 1
    assert {} in timer.timed[0]  # the floor
    assert steps == ["Measuring the plans for maps of 16x4x4 on onnxruntime 1"]
    again = FakeTimer()
    costs = measure_plans([SIZE], "onnx", again, PlanCache(plan_cache.path))
    assert again.timed == []
    artifact = export_artifact(
        tiny_source(), ExportOptions("onnx", fft="measure", costs=costs), tmp_path
    )
    assert artifact.manifest.fft_plan == {"4x4": "right"}
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.passed


def test_the_choice_is_the_fastest_one_whatever_the_prediction(tmp_path: Path) -> None:
    for plan in ("separable", "right", "dense"):
        costs = MeasuredCosts({SIZE: {"separable": 9.0, "right": 9.0, "dense": 9.0, plan: 1.0}})
        options = ExportOptions("onnx", fft="measure", costs=costs, verify=False)
        artifact = export_artifact(tiny_source(), options, tmp_path / plan)
        assert artifact.manifest.fft_plan == {"4x4": plan}


def test_a_plan_that_the_format_cannot_hold_is_no_choice(
    plan_cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ConversionError("It cannot be held.")

    monkeypatch.setattr(DensePlan, "analyse", fail)
    timer, steps = FakeTimer(separable=7.0, right=3.0), []
    costs = measure_plans([SIZE], "onnx", timer, plan_cache, steps.append)
    assert costs.microseconds("dense", SIZE) is None
    assert costs.microseconds("right", SIZE) == 3.0
    assert "dense is no choice for 16x4x4: " in steps[-1]
    measure_plans([SIZE], "onnx", timer, plan_cache)
    assert len(timer.timed) == 1  # that it has no cost is remembered too


def test_hopeless_plans_are_not_timed(
    plan_cache: PlanCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OnnxConverter, "plans", ("separable", "dense"))  # each is an export

    class Large(FakeTimer):
        def medians_us(self, artifacts: Sequence[Artifact]) -> list[float]:
            self.timed.append([artifact.manifest.fft_plan for artifact in artifacts])
            return [1.0] * len(artifacts)

    timer, size = Large(), MapSize(8, 64, 64)
    costs = measure_plans([size], "onnx", timer, plan_cache)
    assert {"64x64": "dense"} not in timer.timed[0]
    assert {"64x64": "separable"} in timer.timed[0]
    assert costs.microseconds("dense", size) is None


def test_measure_without_costs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--fft measure needs measured costs"):
        export_artifact(tiny_source(), ExportOptions("onnx", fft="measure"), tmp_path)


def test_options_stay_comparable() -> None:
    options = ExportOptions("onnx", costs=MeasuredCosts({}))
    assert dataclasses.replace(options, costs=None) == ExportOptions("onnx")


def test_a_block_gives_maps_and_no_probabilities() -> None:
    for source in (block(MapSize(8, 4, 4)), mixer_source("pool", 8, (4, 4))):
        assert settled(source, ExportOptions("tflite")).head == NO_HEAD
    assert settled(tiny_source(), ExportOptions("tflite")).head == "softmax"
