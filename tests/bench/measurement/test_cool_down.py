"""Waiting for a device that is too hot, or whose battery is low."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from affnet.bench.measurement import cool_down
from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.sweep import sweep
from affnet.devices import fake
from affnet.devices.base import Settings
from affnet.errors import AffnetError, CatalogError, UnreachableError
from tests.bench.fakes import MS, FakeDevice, an_artifact

PROTOCOL = Protocol("test", min_runs=40, min_seconds=0.0, block_seconds=0.05, min_block_runs=4)


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(cool_down, "time", found)
    return found


class Warming(FakeDevice):
    """Gets hot while it measures, and cools by a degree in ten seconds of rest."""

    heat = 50.0
    looked_at = 0.0

    def __init__(self, clock: Clock, settings: Settings) -> None:
        super().__init__({"a": self._hotter})
        self.clock, self.settings = clock, settings

    def _hotter(self, _: int) -> int:
        self.heat += 0.5
        return 5 * MS

    def conditions(self) -> dict[str, Any]:
        self.heat -= (self.clock.now - self.looked_at) / 10
        self.looked_at = self.clock.now
        return {**self.state, "temperature_celsius": self.heat, "battery_percent": 80}


def test_each_turn_waits_until_the_device_is_cool(clock: Clock, tmp_path: Path) -> None:
    device = Warming(clock, Settings(max_temperature=55.0))
    steps: list[str] = []
    jobs = label_jobs([an_artifact("a", tmp_path)], "onnxruntime")
    (result,) = measure(jobs, device, PROTOCOL, threads=1, progress=steps.append)
    waits = [step for step in steps if step.startswith("Waiting, as fake has ")]
    assert len({step.split()[4] for step in waits}) > 2  # in several turns
    assert waits[0].endswith(" degrees Celsius, over the 55 that it may have; 0 s so far")
    assert result.environment["cooling_seconds"] == pytest.approx(clock.now)
    assert result.environment["before"]["temperature_celsius"] == 50.0


def test_minutes_of_load_wait_only_before_they_begin(clock: Clock, tmp_path: Path) -> None:
    device = Warming(clock, Settings(max_temperature=49.0))
    load = Protocol(
        "test", min_runs=40, min_seconds=0.0, block_seconds=0.05, min_block_runs=4,
        watch_seconds=15.0,
    )  # fmt: skip
    jobs = label_jobs([an_artifact("a", tmp_path)], "onnxruntime")
    (result,) = measure(jobs, device, load, threads=1)
    assert 10.0 <= result.environment["cooling_seconds"] < 10.5  # in steps
    assert device.heat > 55


def test_without_limits_nothing_is_looked_at(clock: Clock) -> None:
    device = Warming(clock, Settings())
    device.looked_at = -1.0
    assert cool_down.wait_until_fit(device) == 0.0
    assert device.looked_at == -1.0


@pytest.mark.parametrize(
    ("settings", "kind", "complaint", "seconds"),
    [
        (
            Settings(max_temperature=40, cool_down_s=60),
            UnreachableError,
            "fake has 44 degrees Celsius, over the 40 that it may have, still after 60 s; let it",
            60.0,
        ),
        (
            Settings(min_battery=90, cool_down_s=0),
            UnreachableError,
            "fake is charged to 80 %, below the 90 that it must have; let it recover, or",
            0.0,
        ),
    ],
)
def test_a_device_that_stays_unfit_is_left_out(
    clock: Clock, settings: Settings, kind: type[AffnetError], complaint: str, seconds: float
) -> None:
    with pytest.raises(kind) as info:
        cool_down.wait_until_fit(Warming(clock, settings))
    assert str(info.value).startswith(complaint)
    assert clock.now == pytest.approx(seconds)


def test_a_limit_of_what_is_not_reported_is_refused() -> None:
    for settings, sentence in (
        (fake.FakeSettings(max_temperature=50), "no temperature, but max_temperature is set"),
        (fake.FakeSettings(min_battery=50), "no battery, but min_battery is set"),
    ):
        with pytest.raises(CatalogError, match=sentence):
            cool_down.wait_until_fit(fake.FakeDevice("fake", settings))


def test_one_device_of_several_is_left_out_with_the_reason(tmp_path: Path) -> None:
    jobs = label_jobs([an_artifact("a", tmp_path)], "onnxruntime")
    hot = fake.FakeDevice("hot", fake.FakeSettings(max_temperature=1))
    good, bad = sweep(jobs, [fake.FakeDevice("good"), hot], PROTOCOL, threads=1)
    assert [result.device for result in good.results] == ["good"]
    assert "hot reports no temperature" in str(bad.error)
