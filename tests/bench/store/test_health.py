"""The health of devices over time, from a store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from affnet.bench.reporting import health_table
from affnet.bench.results.outcome import DeviceOutcome
from affnet.bench.results.result import Result
from affnet.bench.store.database import Store
from affnet.bench.store.failures import add_failures, newest_failures
from affnet.bench.store.health import Health, history
from affnet.bench.store.recorder import Recorder
from affnet.errors import ConnectionLostError, ResultsError
from tests.bench.fakes import MS
from tests.bench.store.test_database import run_of


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as opened:
        yield opened


def seen(number: int, median_ms: float, **changes: object) -> Result:
    """A day's result of 101 samples whose median is given, and 1 % of it to either side."""
    middle = round(median_ms * MS)
    samples = tuple(middle + (index * 37 % 101 - 50) * middle // 5000 for index in range(101))
    state = {"temperature_celsius": 30.0 + number, "thermal_status": "none"}
    changes = {"blocks_ns": (samples,), "environment": {"before": state}, **changes}
    return run_of(number, device="pixel", **changes)


def failed(name: str, sentence: str) -> DeviceOutcome:
    return DeviceOutcome(name, error=ConnectionLostError(sentence))


def test_a_device_s_runs_failures_heat_and_noise_are_counted(store: Store) -> None:
    hot = {"before": {"thermal_status": "severe", "temperature_celsius": 44}}
    waited = {"before": {}, "cooling_seconds": 12.0}  # of a session, and so of all its results
    store.add(
        [
            seen(1, 10.0, environment=waited),
            seen(1, 20.0, environment=waited, model="two", artifact_sha256="2" * 64),
            seen(2, 10.1),
            seen(3, 10.3, environment=hot, validity_reasons=("it was hot",)),
        ]
    )
    add_failures(store, [failed("pixel", "pixel was lost"), DeviceOutcome("host")])
    (found,) = history(store, (), 200)
    total = found.total
    assert (total.device, total.results, total.sessions, total.not_valid) == ("pixel", 4, 3, 1)
    assert total.doubts == {"it was hot": 1}
    assert total.throttled == 1
    assert total.hottest_celsius == 44.0
    assert total.cooling_seconds == 12.0
    assert total.drift == pytest.approx(0.1 / 10.1, abs=1e-6)  # 10.0 and 10.3 beside 10.1
    assert total.noise is not None
    assert 0.0005 < total.noise < 0.005  # ranks 40 and 60 of 101, of 2 % in all: 0.2 %
    (failure,) = total.failures
    assert (failure.error, failure.reason) == ("ConnectionLostError", "pixel was lost")
    assert list(found.days)[:3] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    first, *_, last = found.days.values()
    assert (first.results, first.sessions, first.drift) == (2, 1, None)
    assert (last.results, last.noise, len(last.failures)) == (0, None, 1)


def test_only_the_newest_of_each_device_count(store: Store) -> None:
    store.add([seen(day, 10.0) for day in range(1, 6)])
    store.add([run_of(1, device="host")])
    add_failures(store, [failed("pixel", f"lost {number}") for number in range(3)])
    host, pixel = history(store, (), 2)
    assert (host.total.results, pixel.total.results) == (1, 2)
    assert list(pixel.days)[:2] == ["2026-01-04", "2026-01-05"]
    assert len(newest_failures(store, "pixel", 2)) == 2
    (only,) = history(store, ["host"], 2)
    assert only.total.device == "host"


def test_a_device_that_only_failed_has_a_history(store: Store) -> None:
    Recorder(store).keep_failures([failed("orin", "orin was lost")])
    Recorder(None).keep_failures([failed("orin", "orin was lost")])
    (found,) = history(store, ["orin"], 9)
    assert (found.total.results, len(found.total.failures)) == (0, 1)


def test_what_the_store_has_not_got_is_refused(store: Store) -> None:
    with pytest.raises(ResultsError, match="holds no results; measure some with"):
        history(store, (), 9)
    store.add([seen(1, 10.0)])
    with pytest.raises(ResultsError, match="nothing of the device 'orin'; it has: pixel"):
        history(store, ["orin"], 9)


def test_the_table_has_a_row_for_each_and_the_reasons_stand_below(store: Store) -> None:
    store.add([seen(day, 10.0, validity_reasons=(f"reason {day}",)) for day in range(1, 8)])
    add_failures(store, [failed("pixel", "lost | \x1b[31m")] * 2)
    (found,) = history(store, (), 200)
    (row,) = health_table.table({"pixel": found.total}, "device").rows
    assert row[0] == "pixel"
    assert row[2:8] == ["7", "7", "2", "7", "0", "37"]
    lines = list(health_table.reasons([found.total]))
    assert lines[0].startswith("pixel, failed 2 times: lost | ")
    assert "\x1b" not in lines[0]
    assert lines[-1] == "pixel, not valid: 2 further reasons, see --json"
    assert Health(**found.total.to_json() | {"failures": found.total.failures}) == found.total
