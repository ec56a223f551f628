"""``affnet view``."""

from __future__ import annotations

import json
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from tests.cli.conftest import edit_manifest, start
from tests.conftest import Finished
from tests.package import networks

Run = Callable[..., Finished]


def test_graph_times_and_plan_are_written(run: Run, digits_onnx: Artifact, workspace: Path) -> None:
    finished = run("view", digits_onnx.path, "--write", "shown")
    assert finished.code == 0, finished.err
    (graph,) = json.loads((workspace / "shown" / "graph.json").read_text())["graphs"]
    keys = {node["id"] for node in graph["nodes"]}
    (times,) = json.loads((workspace / "shown" / "ms.json").read_text()).values()
    assert times["results"].keys() <= keys
    assert sum(one["value"] for one in times["results"].values()) > 0
    (plan,) = json.loads((workspace / "shown" / "FFT-plan.json").read_text()).values()
    assert {one["value"] for one in plan["results"].values()} == {
        f"{size} {name}" for size, name in digits_onnx.manifest.fft_plan.items()
    }
    finished = run("view", digits_onnx.path, "--write", "shown", "--no-profile")
    assert finished.code == 2
    assert "shown exists" in finished.error


def test_what_is_not_shown(
    refused: Callable[..., str], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks.write(workspace)
    monkeypatch.setitem(sys.modules, "model_explorer", None)
    monkeypatch.setattr("affnet.bench.measurement.profiling.take_profile", None)  # not so far
    said = refused("view", "net.onnx", code=3)
    assert said.endswith("run: pip install 'affnet[view]'")
    assert "does not exist" in refused("view", "none.onnx")
    edit_manifest(workspace / "net.onnx", format="tflite")
    assert "of which no graph is drawn; export it with" in refused("view", "net.onnx")


def test_ctrl_c_ends_it_as_asked(workspace: Path) -> None:
    pytest.importorskip("model_explorer", reason="not installed: pip install 'affnet[view]'")
    networks.write(workspace)
    started = start("view", "net.onnx", "--no-browser", "--no-profile")
    started.wait_for("Ctrl-C ends it")
    assert started.process.stdout is not None
    url = started.process.stdout.readline().split()[1]
    with urllib.request.urlopen(url) as answer:  # noqa: S310
        assert b"app-root" in answer.read()
    started.process.send_signal(signal.SIGINT)
    finished = started.finish()
    assert (finished.code, finished.out, finished.err) == (0, "", "")
