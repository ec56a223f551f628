"""``affnet plan`` and ``affnet export --fft measure``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.export.converters.onnx.converter import OnnxConverter
from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]


@pytest.fixture
def own_plan_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep measured costs in a new file."""
    path = tmp_path / "wisdom.json"
    monkeypatch.setattr("affnet.export.autotuning.plan_cache._default_path", lambda: path)
    return path


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch, own_plan_cache: Path) -> list[int]:  # noqa: ARG001
    """Let each further artifact of a comparison seem faster."""
    calls: list[int] = []

    def medians_us(_: object, artifacts: Sequence[Artifact]) -> list[float]:
        calls.append(len(artifacts))
        return [1.0, *(1000.0 - index for index in range(len(artifacts) - 1))]

    monkeypatch.setattr("affnet.bench.measurement.timer.DeviceTimer.medians_us", medians_us)
    return calls


@pytest.fixture
def instant_plans(digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is timed for each plan be the digits that were exported before."""

    def deliver(*_: object) -> Artifact:
        return digits_onnx

    monkeypatch.setattr("affnet.export.autotuning.plan_timing.export_artifact", deliver)


def test_the_plans_of_each_map_are_shown(run: Run) -> None:
    record = run("plan", "affnet_et", "--json", "--quiet").json
    assert (record["runtime"], record["chosen_by"]) == ("onnxruntime", "predicted")
    maps = {entry["map"]: entry["chosen"] for entry in record["maps"]}
    assert list(maps) == ["64x32x32", "104x16x16", "144x8x8"]
    for entry in record["maps"]:
        costs = [candidate["predicted_us"] for candidate in entry["candidates"]]
        assert costs == sorted(costs)
        assert all(candidate["measured_us"] is None for candidate in entry["candidates"])
    done = run("plan", "--size", "28x28", "--channels", "128", "--runtime", "litert")
    assert (done.code, done.err) == (0, "")
    assert "128x28x28" in done.out
    assert "chosen: predicted least" in done.out


@pytest.mark.usefixtures("instant_conversion")
def test_an_export_takes_what_is_planned(run: Run, tmp_path: Path) -> None:
    planned = run("plan", "digits", "--json", "--quiet").json["maps"]
    record = run("export", "digits", "-o", tmp_path, "--json", "--quiet", "--no-verify").json
    expected = {entry["map"].partition("x")[2]: entry["chosen"] for entry in planned}
    assert record["fft_plan"] == expected


@pytest.mark.usefixtures("instant_plans")
def test_measured_costs_choose_and_are_remembered(run: Run, timed: list[int]) -> None:
    options = ("--size", "4x4", "--channels", "16")
    record = run("plan", *options, "--measure", "--json", "--quiet").json
    assert record["chosen_by"] == "measured"
    (entry,) = record["maps"]
    chosen = entry["candidates"][0]
    assert chosen["measured_us"] == min(c["measured_us"] or 1e9 for c in entry["candidates"])
    assert timed == [1 + sum(c["measured_us"] is not None for c in entry["candidates"])]
    assert run("plan", *options, "--measure", "--json", "--quiet").json == record
    assert len(timed) == 1


def test_plans_are_timed_on_the_device_that_is_named(
    run: Run, own_plan_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OnnxConverter, "plans", ("separable", "dense"))  # each is an export
    options = ("--size", "8x8", "--channels", "16", "--measure", "--device", "fake")
    record = run("plan", *options, "--json", "--quiet").json
    (entry,) = record["maps"]
    known = {c["plan"]: us for c in entry["candidates"] if (us := c["measured_us"]) is not None}
    assert min(known.values()) > 0  # arithmetic takes the fake device time
    assert entry["chosen"] == min(known, key=lambda plan: known[plan])
    assert "onnxruntime" in own_plan_cache.read_text()
    done = run("plan", *options, "--json")
    assert (done.json, "Measuring" in done.err) == (record, False)  # it is remembered


@pytest.mark.usefixtures("instant_plans", "instant_conversion")
def test_an_export_measures_the_maps_of_its_network(
    run: Run, timed: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OnnxConverter, "plans", ("separable", "dense"))
    done = run(
        "export", "digits", "--fft", "measure", "--image-size", "32", "-o", tmp_path, "--json",
        "--no-verify",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert len(timed) == 3
    assert "Measuring the plans for maps of 64x4x4 on onnxruntime" in done.err
    assert set(done.json["fft_plan"].values()) == {"dense"}  # the last of each comparison


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("plan", "--size", "4x4"), "--size and --channels describe one map; give both"),
        (("plan", "--size", "4", "--channels", "12"), "--channels 12 is no multiple of 8"),
        (("plan", "--size", "4y", "--channels", "16"), "--size '4y' is not HxW"),
        (
            ("plan", "affnet_et", "--size", "4x4", "--channels", "16"),
            "drop SOURCE and --image-size",
        ),
        (("plan", "--size", "0x4", "--channels", "16"), "--size 0x4 is empty"),
        (("plan", "affnet_et", "--image-size", "33"), "cannot take 33x33 images"),
        (("export", "digits", "--fft", "measure", "--precision", "fp99"), "Unknown precision"),
        (("plan", "--device", "fake"), "--device says where plans are timed; add --measure"),
        (("export", "digits", "--device", "fake"), "add --fft measure"),
        (("plan", "--measure", "--device", "no such"), "no such"),
        (("plan", "--runtime", "torch"), "torch computes FFTs itself"),
        (("plan", "--runtime", "tflite"), "'tflite' is not one of 'onnxruntime'"),
        (("export", "digits", "--fft", "measure", "--format", "all"), "one format at a time"),
        (("bench", "digits", "--fft", "measure"), "--fft measure needs measured costs"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(
    refused: Refused, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused(*arguments)


@pytest.mark.usefixtures("instant_plans", "own_plan_cache")
def test_more_threads_than_there_are_is_one_sentence(refused: Refused) -> None:
    options = ("--size", "4x4", "--channels", "16", "--measure", "--threads", "1000")
    assert "threads at once, not 1000" in refused("plan", *options)


def test_a_network_without_filters_has_nothing_to_plan(refused: Refused) -> None:
    assert refused("plan", "mobilevit_xxs") == (
        "mobilevit_xxs has no frequency filter, so that there is nothing to plan."
    )
