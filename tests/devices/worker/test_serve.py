"""The measuring process's own side: its loop, and the answers to each request."""

from __future__ import annotations

import gc
import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.devices.worker import energy
from affnet.devices.worker.channel import describe_job
from affnet.devices.worker.serve import serve, time_runs
from affnet.errors import ArtifactError, MissingError, UnknownNameError
from affnet.placement import from_wire
from affnet.runtimes.onnxruntime import OnnxRuntime


class Recorder:
    """A session that sleeps, and remembers what it was given."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.images: list[Any] = []
        self.collecting: list[bool] = []

    def run(self, *inputs: Any) -> list[Any]:
        self.images += inputs
        self.collecting.append(gc.isenabled())
        time.sleep(self.seconds)
        return []


def test_every_run_is_one_sample_of_its_own_duration() -> None:
    session, image = Recorder(0.01), np.zeros(3)
    samples = time_runs(session, (image,), 7)
    assert len(samples) == len(session.images) == 7
    assert all(given is image for given in session.images)
    assert all(10_000_000 <= sample < 1_000_000_000 for sample in samples)


def test_no_run_is_no_sample() -> None:
    assert time_runs(Recorder(), (), 0).tolist() == []


def test_the_garbage_collector_rests_during_the_runs_only() -> None:
    session = Recorder()
    time_runs(session, (), 3)
    assert session.collecting == [False] * 3
    assert gc.isenabled()


def test_the_garbage_collector_is_back_after_a_failure() -> None:
    with pytest.raises(AttributeError):
        time_runs(object(), (), 3)  # type: ignore[arg-type]
    assert gc.isenabled()


def served(artifact: Artifact, *requests: dict[str, Any], runtime: str = "onnxruntime") -> Any:
    job = describe_job(artifact, runtime, threads=1)
    lines = "".join(json.dumps(request) + "\n" for request in (job, *requests))
    answers = io.StringIO()
    serve(io.StringIO(lines), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_each_request_gets_one_line(digits_onnx: Artifact) -> None:
    first, runs, memory = served(
        digits_onnx,
        {"command": "run", "iterations": 6, "discard": 2},
        {"command": "memory"},
    )
    assert first.keys() == {"load_ns", "first_inference_ns", "runtime_version", "arithmetic"}
    assert first["load_ns"] > 1_000_000
    assert first["first_inference_ns"] > 100_000
    assert len(runs["samples_ns"]) == 6
    assert all(sample > 100_000 for sample in runs["samples_ns"])
    assert memory["peak_rss_bytes"] > 30_000_000
    if sys.platform == "linux":
        assert 10_000_000 < memory["pss_bytes"] <= memory["peak_rss_bytes"]


def test_where_operators_run_is_answered_or_why_not(
    digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, answer = served(digits_onnx, {"command": "placement"})
    found = from_wire(answer["placement"])
    assert found.asked == ("cpu",)
    assert len(found.operators) > 50

    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such trace")

    monkeypatch.setattr(OnnxRuntime, "placement", fail)
    _, answer = served(digits_onnx, {"command": "placement"})
    assert answer["placement"] == ("onnxruntime did not report where operators run (no such trace)")
    monkeypatch.delattr(OnnxRuntime, "placement")
    assert served(digits_onnx, {"command": "placement"})[1] == {"placement": None}


def test_the_energy_is_answered_or_why_it_is_not_known(
    digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = {"idle_uj": 1, "idle_ns": 2, "load_uj": 3, "load_ns": 4, "runs": 5}
    ran = []

    def measure(run: Callable[[], object]) -> dict[str, Any]:
        ran.append(run())
        return {"source": "RAPL, package-0", "windows": [window]}

    monkeypatch.setattr(energy, "measure", measure)
    _, answer = served(digits_onnx, {"command": "energy"})
    assert answer["energy"] == {"source": "RAPL, package-0", "windows": [window]}
    assert np.shape(ran[0]) == (1, 1, 10)  # it runs the model

    def refuse(_: object) -> None:
        raise MissingError("there is no counter", "buy one.")

    monkeypatch.setattr(energy, "measure", refuse)
    _, answer = served(digits_onnx, {"command": "energy"})
    assert answer["energy"] == "there is no counter; buy one."


def test_the_artifact_is_checked_again_where_it_runs(digits_onnx: Artifact) -> None:
    gone = Artifact(digits_onnx.path.with_name("gone.onnx"), digits_onnx.manifest)
    with pytest.raises(ArtifactError, match="does not exist"):
        served(gone)
    other = digits_onnx.with_manifest(sha256="0" * 64)
    with pytest.raises(ArtifactError, match=r"was changed after the measurement was planned"):
        served(other)
    with pytest.raises(
        UnknownNameError, match=r"Unknown runtime 'tensorrt'; valid: .*onnxruntime, "
    ):
        served(digits_onnx, runtime="tensorrt")
