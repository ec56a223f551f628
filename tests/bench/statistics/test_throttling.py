"""Minutes of load: the curve, and when it is called throttling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.reporting import throttling_table
from affnet.bench.reporting.notes import table_notes
from affnet.bench.results.result import Result
from affnet.bench.statistics.throttling import LatencyCurve, latency_curve
from tests.bench.fakes import MS, FakeDevice, a_result, an_artifact

# 20 turns, half a minute each, that become slower by half after a third of the time
SLOWER = [(10 * MS,) * 5] * 7 + [(15 * MS,) * 5] * 13
STARTS = [30.0 * turn for turn in range(20)]


def curve(blocks: list[tuple[int, ...]], *states: dict[str, Any]) -> LatencyCurve:
    seen = [{"seconds": 60.0 * i, "busy_cores": 0.1, **state} for i, state in enumerate(states, 1)]
    found = latency_curve(blocks, STARTS, seen)
    assert found is not None
    return found


def test_a_curve_that_rises_is_throttling_from_where_it_stays_high() -> None:
    found = curve(SLOWER, {})
    assert (found.baseline_ns, found.final_ns, found.change) == (10 * MS, 15 * MS, 0.5)
    assert found.throttled
    assert [s.seconds for s in found.windows] == [60.0 * i for i in range(10)]
    assert found.throttled_from_seconds() == 180  # the window with one quick turn and one slow
    assert found.sentence() == (
        "went from 10.00 ms to 15.00 ms (+50%): throttled from minute 3.0 on"
    )


def test_a_steady_curve_is_none() -> None:
    found = curve([(10 * MS, 11 * MS)] * 20, {})
    assert not found.throttled
    assert found.throttled_from_seconds() is None
    assert found.sentence().endswith("(+0%): not throttled")


def test_a_thermal_status_is_throttling_whatever_the_curve() -> None:
    found = curve([(10 * MS,)] * 20, {"thermal_status": "none"}, {"thermal_status": "severe"})
    assert found.throttled
    assert found.sentence().endswith("throttled, thermal status severe")


def test_other_processes_are_no_throttling() -> None:
    found = curve(SLOWER, {"busy_cores": 1.5})
    assert not found.throttled
    assert found.sentence().endswith("slower, while other processes kept 1.5 cores busy")


def test_each_stretch_has_the_state_that_was_seen_last() -> None:
    found = curve(SLOWER, {"temperature_celsius": 40.0}, {"temperature_celsius": 70.0})
    seen = [window.state.get("temperature_celsius") for window in found.windows]
    assert seen[:3] == [40.0, 70.0, 70.0]


def test_too_few_turns_have_no_curve() -> None:
    assert latency_curve([(1, 2)] * 3, [0.0, 1.0, 2.0], []) is None


def a_warm_result() -> Result:
    during = [{"seconds": 100.0, "temperature_celsius": 61.5, "thermal_status": "none"}]
    return a_result(
        protocol="sustained 10 min",
        blocks_ns=tuple(SLOWER),
        block_starts_s=tuple(STARTS),
        environment={"cpu": "Imagined 9000", "before": {}, "during": during},
    )


def test_it_is_told_in_tables_and_json_and_survives_a_file() -> None:
    result = a_warm_result()
    record = json.loads(json.dumps(result.to_json()))
    assert record["sustained"]["throttled"] is True
    assert record["sustained"]["throttled_from_seconds"] == 180
    assert len(record["sustained"]["curve"]) == 10
    assert Result.from_json(record).sustained == result.sustained
    assert a_result().to_json()["sustained"] is None
    note = "Under load for 10 min one went from 10.00 ms to 15.00 ms (+50%): throttled"
    assert any(line.startswith(note) for line in table_notes([result]))
    (table,) = throttling_table.tables([result])
    lines = table.markdown().splitlines()
    assert lines[0] == "Median latency under load on fake"
    assert lines[2] == "| minute | one ms | °C | thermal status |"
    assert lines[-1] == "| 9.0 | 15.00 | 62 | none |"
    assert not list(throttling_table.tables([a_result()]))


@pytest.mark.parametrize("monitor", [None, 0.0])
def test_the_device_is_looked_at_between_turns(tmp_path: Path, monitor: float | None) -> None:
    device = FakeDevice({"a": lambda run: (10 if run < 40 else 20) * MS + run})
    protocol = Protocol(
        "sustained", min_runs=60, min_seconds=0, block_seconds=0.05, watch_seconds=monitor
    )
    jobs = label_jobs([an_artifact("a", tmp_path)], "onnxruntime")
    (result,) = measure(jobs, device, protocol, threads=1)
    drifted = [why for why in result.validity_reasons if "drifted" in why]
    if monitor is None:
        assert (result.sustained, len(drifted)) == (None, 1)
        assert "during" not in result.environment
        return
    assert drifted == []  # what is looked for, not what spoils it
    assert len(result.environment["during"]) == len(result.blocks_ns)
    assert len(result.block_starts_s) == len(result.blocks_ns)
    assert result.sustained is not None
    assert result.sustained.throttled
