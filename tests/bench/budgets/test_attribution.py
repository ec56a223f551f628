"""What became slower is found in profiles, here scripted ones, of files before and after."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.bench.budgets import attribution
from affnet.bench.budgets.attribution import TakeProfiles, attribute, take_profiles
from affnet.bench.budgets.budget_file import Budget, Place
from affnet.bench.budgets.rounds import BASELINE
from affnet.bench.budgets.verdicts import FAIL, PASS, ModuleRegression, Verdict
from affnet.bench.measurement.interleaved import Job
from affnet.bench.statistics.intervals import Interval
from affnet.devices.base import OperatorTime
from affnet.errors import MeasurementError
from tests.bench.fakes import an_artifact

Times = dict[str, int]
BEFORE: Times = {"stem.0": 1000, "body.1": 5000, "body.2": 4000}


@dataclass
class Device:
    """Tells the times that are scripted for each model, one pass after the other."""

    passes: dict[str, list[Times]]
    sessions: list[str] = field(default_factory=list)

    name = "scripted"

    def address(self) -> str:
        return "scripted"

    @contextmanager
    def session(self, runtime: str, *_: object) -> Iterator[None]:
        self.sessions.append(runtime)
        yield


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = Device({})

    def take(artifact: Artifact, *_: object) -> Any:
        times = found.passes[artifact.manifest.model].pop(0)
        if "error" in times:
            raise MeasurementError("Measuring it ended with signal 9: it said nothing.")
        return tuple(OperatorTime(f"{m}.conv", "Conv", t, f"{m}.conv") for m, t in times.items())

    monkeypatch.setattr(attribution, "take_profile", take)
    return found


def on(device: Any) -> TakeProfiles:
    return functools.partial(take_profiles, device=device, threads=1)


def jobs(folder: Path) -> list[Job]:
    return [
        Job("net", an_artifact("new", folder), "onnxruntime"),
        Job(BASELINE + "net", an_artifact("old", folder), "onnxruntime"),
    ]


def a_verdict(kind: str = FAIL, metric: str = "median") -> Verdict:
    budget = Budget("b", "net", metric, Place(), 1.05, "+5 %", None, True, 1)
    return Verdict(budget, kind, Interval(1.1, 1.08, 1.12), 4, "it is above")


def test_the_module_that_grew_is_told_with_its_growth(device: Device, tmp_path: Path) -> None:
    after = {**BEFORE, "body.1": 6500}
    device.passes = {"old": [BEFORE, BEFORE], "new": [after, after]}
    (attributed,) = attribute([a_verdict()], jobs(tmp_path), on(device))
    assert attributed.slower_modules == (ModuleRegression("body.1", 5000, 6500),)
    assert attributed.reason == "it is above; slower by module: body.1 0.00 ms"
    assert attributed.verdict == FAIL
    assert attributed.to_json()["slower_modules"] == [
        {"module": "body.1", "before_ns": 5000, "after_ns": 6500}
    ]


def test_a_disturbance_in_one_pass_is_no_growth(device: Device, tmp_path: Path) -> None:
    after, disturbed = {**BEFORE, "body.1": 6500}, {**BEFORE, "stem.0": 90_000, "body.1": 6600}
    device.passes = {"old": [BEFORE, BEFORE], "new": [disturbed, after]}
    (attributed,) = attribute([a_verdict()], jobs(tmp_path), on(device))
    assert [regression.module for regression in attributed.slower_modules] == ["body.1"]


def test_new_modules_count_and_the_largest_growth_is_first(device: Device, tmp_path: Path) -> None:
    after = {**BEFORE, "body.2": 5000, "head.0": 3000}
    device.passes = {"old": [BEFORE, BEFORE], "new": [after, after]}
    (attributed,) = attribute([a_verdict()], jobs(tmp_path), on(device))
    assert attributed.slower_modules == (
        ModuleRegression("head.0", 0, 3000),
        ModuleRegression("body.2", 4000, 5000),
    )


def test_two_broken_budgets_of_a_model_cost_one_look(device: Device, tmp_path: Path) -> None:
    device.passes = {"old": [BEFORE] * 2, "new": [{**BEFORE, "body.1": 6500}] * 2}
    verdicts = [a_verdict(), a_verdict(metric="p90")]
    attributed = attribute(verdicts, jobs(tmp_path), on(device))
    assert device.sessions == ["onnxruntime"]
    assert [verdict.slower_modules[0].module for verdict in attributed] == ["body.1", "body.1"]


@pytest.mark.parametrize(
    "verdict", [a_verdict(PASS), a_verdict(metric="file_size"), a_verdict(metric="peak_memory")]
)
def test_kept_budgets_and_those_of_no_latency_are_left_alone(
    device: Device, tmp_path: Path, verdict: Verdict
) -> None:
    assert attribute([verdict], jobs(tmp_path), on(device)) == [verdict]  # type: ignore[arg-type]
    assert device.sessions == []


def test_without_the_artifact_of_before_there_is_no_look(device: Device, tmp_path: Path) -> None:
    alone = jobs(tmp_path)[:1]
    assert attribute([a_verdict()], alone, on(device)) == [a_verdict()]  # type: ignore[arg-type]


def test_a_profile_that_fails_costs_the_explanation_not_the_verdict(
    device: Device, tmp_path: Path
) -> None:
    device.passes = {"old": [{"error": 1}], "new": []}
    (attributed,) = attribute([a_verdict()], jobs(tmp_path), on(device))
    assert attributed.verdict == FAIL
    assert attributed.reason == (
        "it is above; which module became slower is not known: "
        "Measuring it ended with signal 9: it said nothing"
    )


def test_where_all_grew_alike_no_module_is_blamed_but_what_differs_is_named(
    device: Device, tmp_path: Path
) -> None:
    after = {"stem.0": 1270, "body.1": 6500, "body.2": 5000}
    device.passes = {"old": [BEFORE, BEFORE], "new": [after, after]}
    new, *old = jobs(tmp_path)
    tools = {"onnx": "1.22", "torch": "2.13"}
    changed = an_artifact("new", tmp_path, precision="fp16", macs=500_000_000, tools=tools)
    measured = [dataclasses.replace(new, artifact=changed), *old]
    (attributed,) = attribute([a_verdict()], measured, on(device))
    assert attributed.slower_modules == ()
    assert attributed.reason == (
        "it is above; all modules became slower alike, 1.28 times; what differs: the precision is "
        "fp16, was fp32; the number of multiply-accumulates is 500 M, was 400 M; onnx is 1.22, was "
        "none; torch is 2.13, was none"
    )


@pytest.mark.parametrize(
    "after",
    [
        {**BEFORE, "body.1": 6500},  # one of them
        {"stem.0": 1250, "body.1": 6250, "body.2": 2000, "head.0": 3000},  # some renamed
        {name: round(1.02 * time) for name, time in BEFORE.items()},  # hardly at all
        {name: round(0.8 * time) for name, time in BEFORE.items()},
    ],
)
def test_not_all_grew_alike(after: Times) -> None:
    assert not attribution.grew_alike(BEFORE, after)
