"""The energy of inferences: from a process's answer to the table and the budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.bench.budgets.budget_file import Place
from affnet.bench.budgets.metrics import METRICS
from affnet.bench.budgets.rounds import protocol_of
from affnet.bench.measurement.energy import with_energy
from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.bench.reporting import latency_table
from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import mean_interval
from affnet.devices.worker.channel import RemoteProcess
from affnet.energy import Energy, EnergyWindow
from affnet.errors import MeasurementError
from affnet.units import parse_quantity
from tests.bench.fakes import MS, FakeDevice, FakeProcess, a_result, an_artifact

# 10 W at rest, and 20, 24 and 28 mJ more for each of a hundred runs in a second
WINDOWS = tuple(
    EnergyWindow(10_000_000, 1_000_000_000, 10_000_000 + more, 1_000_000_000, 100)
    for more in (2_000_000, 2_400_000, 2_800_000)
)
COUNTED = Energy("RAPL, package-0", WINDOWS)


class Counting(FakeDevice):
    """Counts energy where it is told what comes of it."""

    found: Energy | str = COUNTED

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[FakeProcess]:
        with super().start(artifact, runtime, threads) as process:
            process.energy = lambda: self.found  # type: ignore[attr-defined]
            yield process


def test_rest_is_taken_off_and_the_mean_has_an_interval() -> None:
    result = a_result(energy=COUNTED)
    found = result.energy_mj
    assert found is not None
    assert found.value == pytest.approx(24.0)
    assert (found.low, found.high) == pytest.approx((24 - 9.937, 24 + 9.937), abs=1e-3)  # t 4.303
    longer = EnergyWindow(10_000_000, 1_000_000_000, 25_000_000, 2_000_000_000, 100)
    assert longer.run_uj == pytest.approx(50_000)
    assert mean_interval([1.0]).low == -float("inf")


def test_a_result_with_energy_comes_back_from_json() -> None:
    record = json.loads(json.dumps(a_result(energy=COUNTED).to_json()))
    assert record["energy_mj"] == pytest.approx(24.0)
    assert record["energy"]["source"] == "RAPL, package-0"
    assert Result.from_json(record) == a_result(energy=COUNTED)
    assert a_result().to_json()["energy_mj"] is None


def test_a_measurement_counts_it_last_and_the_table_shows_it(tmp_path: Path) -> None:
    device = Counting({"a": lambda _: 5 * MS})
    jobs = label_jobs([an_artifact("a", tmp_path)], "onnxruntime")
    steps: list[str] = []
    protocol = protocol_of(Place(energy=True))
    (result,) = measure(jobs, device, protocol, threads=1, progress=steps.append)
    assert result.energy == COUNTED
    assert steps[-1] == "Counting the energy of a"
    columns = {column.header: column.cell(result) for column in latency_table.columns([result])}
    assert columns["mJ [95 %]"] == "24 (14.1 to 33.9)"
    assert "mJ [95 %]" not in {c.header for c in latency_table.columns([a_result()])}
    assert not protocol_of(Place()).energy


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    artifact = an_artifact("a", tmp_path)
    device = Counting({"a": lambda _: 5 * MS})
    device.found = "the system there has no counter."
    assert with_energy(a_result(), artifact, device).limits == (
        "the energy is not known: the system there has no counter",
    )
    silent = FakeDevice({"a": lambda _: 5 * MS})
    assert with_energy(a_result(), artifact, silent).limits == ("fake does not report energy",)


def test_energy_can_be_budgeted() -> None:
    metric = METRICS["energy_mj"]
    assert metric.value(a_result(energy=COUNTED)) == pytest.approx(24.0)
    assert metric.value(a_result()) is None
    assert [parse_quantity(text, metric.dimension) for text in ("12 mJ", "0.5 J")] == [12.0, 500.0]


@pytest.mark.parametrize(
    "answer",
    [
        3,
        {},
        {"source": "x", "windows": []},
        {"source": "x", "windows": [{"runs": 1}]},
        {"source": "x", "windows": [vars(WINDOWS[0]) | {"runs": 0}]},
        {"source": "x", "windows": [vars(WINDOWS[0]) | {"load_uj": "9"}]},
    ],
)
def test_nonsense_of_a_process_is_a_sentence(answer: Any) -> None:
    class Answers:
        def send(self, line: str) -> None:
            self.asked = json.loads(line)

        def receive(self, timeout_s: float, largest: int) -> str:
            started = {"load_ns": 1, "first_inference_ns": 1, "runtime_version": "1"}
            return json.dumps({"energy": answer} if self.asked.get("command") else started) + "\n"

        def how_it_ended(self) -> str:
            return ""

    process = RemoteProcess(Answers(), {"runtime": "onnxruntime"}, "m")
    with pytest.raises(MeasurementError, match=r"^Measuring m answered with nonsense: "):
        process.energy()
