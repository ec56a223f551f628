"""``affnet bench --pipeline``, and budgets on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from affnet.bench.results.result import Result
from tests.conftest import Finished
from tests.package import networks

Run = Callable[..., Finished]
BUDGETS = """
[models]
net = "net.onnx"
[[budget]]
name = "whole"
model = "net"
metric = "pipeline"
at_most = "5 s"

[[budget]]
name = "alone"
model = "net"
at_most = "5 s"
"""


def bench(run: Run, *arguments: object) -> Finished:
    return run("bench", "net.onnx", "--preset", "check", "--quiet", *arguments)


def test_three_stages_and_their_sum(run: Run, workspace: Path) -> None:
    networks.write(workspace)
    Image.new("RGB", (40, 30), "red").save("red.png")
    finished = bench(run, "--picture", "red.png", "-o", "results.json")
    assert finished.code == 0, finished.err
    rows = [line.split() for line in finished.out.splitlines()]
    stages = [row[2] for row in rows if len(row) > 3 and row[0] == "host"]
    assert stages == ["preprocessing", "inference", "postprocessing", "all"]
    (record,) = json.loads(Path("results.json").read_text())["results"]
    parts = zip(*record["stages_ns"].values(), strict=True)
    assert [sum(samples) for samples in parts] == record["samples_ns"]
    assert ", from picture " in record["protocol"]
    assert Result.from_json(record).stages_ns.keys() == record["stages_ns"].keys()
    finished = run("compare", "results.json")
    assert finished.code == 0, finished.err


def test_stored_results_are_held_to_the_budgets_of_their_kind(run: Run, workspace: Path) -> None:
    networks.write(workspace)
    Image.new("RGB", (40, 30), "red").save("red.png")
    (workspace / "budgets.toml").write_text(BUDGETS)
    assert bench(run, "--picture", "red.png", "-o", "whole.json").code == 0
    finished = run("check", "whole.json", "--budgets", "budgets.toml")
    assert finished.code == 2
    assert "alone" in finished.error  # of inference alone nothing was measured
    assert bench(run, "-o", "alone.json").code == 0
    finished = run("check", "whole.json", "alone.json", "--budgets", "budgets.toml", "--json")
    assert finished.code in (0, 1), finished.err
    values = {one["name"]: one["value"] for one in finished.json["budgets"]}
    assert values["whole"] > values["alone"]


@pytest.mark.exhaustive
def test_budgets_are_measured_from_a_picture_on(run: Run, workspace: Path) -> None:
    networks.write(workspace)
    (workspace / "budgets.toml").write_text(BUDGETS)
    finished = run("check", "--budgets", "budgets.toml", "--json", "-o", "measured.json")
    assert finished.code == 0, finished.err
    values = {one["name"]: one["value"] for one in finished.json["budgets"]}
    assert values["whole"] > 1e6 + values["alone"]  # a picture of 1280 x 960 takes its time


def test_where_no_pipeline_is_measured(refused: Callable[..., str], workspace: Path) -> None:
    networks.write(workspace)
    (workspace / "text.jpg").write_text("no picture")
    said = refused("bench", "net.onnx", "--pipeline", "--device", "fake", "-q")
    assert said.startswith("fake measures inference alone: what runs models there takes no")
    assert "text.jpg" in refused("bench", "net.onnx", "--picture", "text.jpg")
    assert "does not exist" in refused("bench", "net.onnx", "--picture", "none.jpg")
    (workspace / "net.onnx.manifest.json").rename(workspace / "manifest.json")
    said = refused("bench", "net.onnx", "--pipeline", "-q")
    assert "has no manifest that says what its outputs mean" in said
