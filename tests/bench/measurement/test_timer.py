"""Latencies side by side."""

from __future__ import annotations

import contextlib
import json

import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.timer import DeviceTimer
from affnet.devices.catalog import get_device


def test_real_processes_give_microseconds(digits_onnx: Artifact) -> None:
    timer = DeviceTimer(get_device("host"), "onnxruntime")
    for median in timer.medians_us([digits_onnx, digits_onnx]):
        assert 10 < median < 1e6  # whatever else the machine does, the unit is not in doubt


def test_each_artifact_gets_the_median_of_turns_in_alternating_order(
    digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Process:
        def __init__(self, name: str, nanoseconds: int) -> None:
            self.name, self.nanoseconds = name, nanoseconds

        def run(self, runs: int, discard: int) -> list[int]:
            turns.append(self.name)
            return [self.nanoseconds] * runs

    turns: list[str] = []
    started = iter([Process("A", 2_000_000), Process("B", 500_000)])
    device = get_device("host")
    monkeypatch.setattr(device, "start", lambda *_: contextlib.nullcontext(next(started)))
    timer = DeviceTimer(device, "onnxruntime")
    assert timer.medians_us([digits_onnx, digits_onnx]) == [2000, 500]
    assert "".join(turns) == "AB" + "ABBA" * 3  # warmed up, then in turns


def test_it_says_what_the_latencies_hold_for() -> None:
    timer = DeviceTimer(get_device("host"), "onnxruntime", threads=2)
    assert timer.threads == 2
    assert timer.runtime.startswith("onnxruntime 1.")
    machine = json.loads(timer.machine)
    assert machine["cpu"]
    assert "python" not in machine
