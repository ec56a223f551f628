"""Rounds of measurements: their order, their end, and what belongs to the baseline."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from affnet.bench.budgets.rounds import BASELINE, Rounds, measure_rounds
from affnet.bench.measurement.interleaved import Job
from affnet.bench.measurement.protocol import Protocol
from affnet.devices.base import Device
from tests.bench.fakes import MS, FakeDevice, a_result, an_artifact

PROTOCOL = Protocol("test", min_runs=8, min_seconds=0.0, max_warmup_seconds=0.01)


class OpenDevice(FakeDevice):
    def address(self) -> str:
        return "open"

    def session(self, *_: Any) -> nullcontext[None]:
        return nullcontext()


@pytest.fixture
def device() -> OpenDevice:
    return OpenDevice({"a": lambda _: 5 * MS, "b": lambda _: 5 * MS})


def rounds(device: OpenDevice, folder: Path, **options: Any) -> Rounds:
    jobs = [Job(name, an_artifact(name, folder), "onnxruntime") for name in "ab"]
    return measure_rounds(
        jobs, cast(Device, device), PROTOCOL, threads=1, **{"max_rounds": 3, **options}
    )


def test_each_round_has_fresh_processes_in_the_other_order(
    device: OpenDevice, tmp_path: Path
) -> None:
    found = rounds(device, tmp_path)
    assert [set(one) for one in found.new] == [{"a", "b"}] * 3
    started = {request.process: request.model for request in device.log}
    assert "".join(started[number] for number in sorted(started)) == "ab" + "abbaab"
    assert len({result.session for result in found.results()}) == 3


def test_they_end_when_it_is_enough(device: OpenDevice, tmp_path: Path) -> None:
    asked: list[int] = []

    def enough(so_far: Rounds) -> bool:
        asked.append(len(so_far.new))
        return len(so_far.new) == 2

    assert len(rounds(device, tmp_path, max_rounds=9, enough=enough).new) == 2
    assert asked == [1, 2]


def test_memory_is_taken_once_unless_it_counts(device: OpenDevice, tmp_path: Path) -> None:
    peaks = [found["a"].peak_rss_bytes for found in rounds(device, tmp_path).new]
    assert len(set(peaks)) == 1
    peaks = [
        found["a"].peak_rss_bytes for found in rounds(device, tmp_path, memory_counts=True).new
    ]
    assert len(set(peaks)) == 3


def test_progress_tells_the_round(device: OpenDevice, tmp_path: Path) -> None:
    said: list[str] = []
    rounds(device, tmp_path, max_rounds=2, progress=said.append)
    assert [line for line in said if line.endswith("at most")] == [
        "Round 1 of 2 at most",
        "Round 2 of 2 at most",
    ]


def test_the_baseline_s_results_stand_apart_under_the_model_s_name() -> None:
    found = Rounds()
    new, old = a_result(model="a"), a_result(model=f"{BASELINE}a", load_ns=1)
    found.add([new, old])
    assert (found.new, found.old) == ([{"a": new}], [{"a": old}])
    assert found.results() == [new, old]
    found.add([new])
    assert len(found.old) == 1
