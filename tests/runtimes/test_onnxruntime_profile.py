"""The trace of ONNX Runtime's profiler."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.runtimes.onnxruntime import OnnxRuntime
from affnet.runtimes.onnxruntime_profile import operator_times


def node(name: str, ts: int, dur: int, kind: str = "Conv") -> dict[str, Any]:
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur,
            "args": {"op_name": kind}}  # fmt: skip


def run(ts: int) -> dict[str, Any]:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": 90, "args": {}}


def test_the_mean_is_that_of_the_last_runs_and_of_all_calls_in_a_run() -> None:
    events = [
        run(100), node("a", 110, 900), node("loop", 120, 900, "Add"),
        run(200), node("a", 210, 3), node("loop", 220, 10, "Add"), node("loop", 230, 20, "Add"),
        run(300), node("a", 310, 4), node("loop", 320, 10, "Add"), node("loop", 330, 20, "Add"),
        {"cat": "Session", "name": "SequentialExecutor::Execute", "ts": 300, "dur": 80},
    ]  # fmt: skip
    assert operator_times(json.dumps(events), 2) == [("a", "Conv", 3500), ("loop", "Add", 30_000)]


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "it holds 0 runs, not 1"),
        ("{}", "it holds 0 runs, not 1"),
        ("[1]", "an event lacks"),
        (json.dumps([{"cat": "Node"}]), "an event lacks 'name'"),
        (json.dumps([run(1), {"cat": "Node", "name": "a_kernel_time", "ts": 2}]), "lacks 'args'"),
    ],
)
def test_what_is_no_trace_is_refused(trace: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        operator_times(trace, 1)


def test_a_real_profile_names_the_operators_and_leaves_no_file(
    digits_onnx: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spec = digits_onnx.manifest.inputs[0]
    image = np.zeros(spec.static_shape(), spec.dtype)
    found = OnnxRuntime.profile(digits_onnx.path, threads=1, inputs=(image,), runs=3)
    assert {"Conv", "MatMul", "InstanceNormalization"} <= {kind for _, kind, _ in found}
    assert 50_000 < sum(time for _, _, time in found) < 1_000_000_000
    assert list(tmp_path.iterdir()) == []
