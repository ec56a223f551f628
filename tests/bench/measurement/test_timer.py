"""Latencies side by side, with real processes."""

from __future__ import annotations

import json

from affnet.artifact import Artifact
from affnet.bench.measurement.timer import DeviceTimer
from affnet.devices.catalog import get_device


def test_each_artifact_gets_a_median_and_the_same_ones_agree(digits_onnx: Artifact) -> None:
    timer = DeviceTimer(get_device("host"), "onnxruntime")
    first, second = timer.medians_us([digits_onnx, digits_onnx])
    assert 10 < first < 1e6
    assert 0.3 < first / second < 3  # a machine may be busy, the unit is not in doubt


def test_it_says_what_the_latencies_hold_for() -> None:
    timer = DeviceTimer(get_device("host"), "onnxruntime", threads=2)
    assert timer.threads == 2
    assert timer.runtime.startswith("onnxruntime 1.")
    machine = json.loads(timer.machine)
    assert machine["cpu"]
    assert "python" not in machine
