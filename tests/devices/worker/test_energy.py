"""Counting energy, on trees of /sys as RAPL and a Jetson's INA3221 have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.devices.worker import energy, linux_probes
from affnet.errors import MissingError

Written = Callable[[str, object], Path]


class Clock:
    """Time that passes only where somebody sleeps or runs; energy is written as it does."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.at_each: Callable[[float, bool], None] = lambda _, __: None

    def monotonic(self) -> float:
        return self.now_ns / 1e9

    def perf_counter_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)
        self.at_each(seconds, False)

    def run(self) -> None:
        """An inference of 10 ms."""
        self.now_ns += 10_000_000
        self.at_each(0.01, True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(energy, "time", found)
    return found


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    monkeypatch.setattr(linux_probes, "_SYS", tmp_path)

    def write(name: str, content: object) -> Path:
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
        return path

    return write


def zone(tree: Written, number: str, name: str, energy_uj: int) -> Path:
    tree(f"powercap/intel-rapl:{number}/name", name)
    tree(f"powercap/intel-rapl:{number}/max_energy_range_uj", 999_999_999)
    return tree(f"powercap/intel-rapl:{number}/energy_uj", energy_uj)


def rail(tree: Written, number: int, name: str, millivolts: int, milliamperes: int) -> Path:
    tree("hwmon/hwmon3/name", "ina3221")
    tree(f"hwmon/hwmon3/in{number}_label", name)
    tree(f"hwmon/hwmon3/in{number}_input", millivolts)
    return tree(f"hwmon/hwmon3/curr{number}_input", milliamperes)


def test_rapl_gives_what_an_inference_adds_to_rest(tree: Written, clock: Clock) -> None:
    counter = zone(tree, "0", "package-0", 999_000_000)  # it begins again in the first window
    zone(tree, "0:0", "core", 5)  # a part of the package
    zone(tree, "1", "psys", 7)  # all of the machine, packages too
    total = 999_000_000

    def pass_time(seconds: float, running: bool) -> None:
        nonlocal total
        total += round(seconds * (30e6 if running else 10e6))  # 30 W and 10 W
        counter.write_text(f"{total % 1_000_000_000}\n")

    clock.at_each = pass_time
    found = energy.measure(clock.run, windows=3)
    assert found["source"] == "RAPL, package-0"
    for window in found["windows"]:
        assert window["idle_ns"] == window["load_ns"] == 1_000_000_000
        assert (window["idle_uj"], window["load_uj"], window["runs"]) == (
            10_000_000,
            30_000_000,
            100,
        )


def test_packages_of_two_sockets_are_added(tree: Written) -> None:
    first, second = zone(tree, "0", "package-0", 5), zone(tree, "1", "package-1", 6)
    counter = energy.find_counter()
    assert counter.source == "RAPL, package-0 and package-1"
    first.write_text("15\n")
    second.write_text("26\n")
    assert counter.read_uj() == 30
    assert counter.read_uj() == 30
    counter.stop()


def test_a_jetson_s_whole_input_goes_before_its_parts(tree: Written, clock: Clock) -> None:
    rail(tree, 1, "VDD_IN", 5000, 2000)
    rail(tree, 2, "VDD_CPU_GPU_CV", 5000, 1000)
    counter = energy.find_counter()
    try:
        assert counter.source == "INA3221, VDD_IN"
        before = counter.read_uj()
        clock.now_ns += 2_000_000_000
        assert counter.read_uj() - before == 20_000_000  # 5 V, 2 A, 2 s
    finally:
        counter.stop()


def test_without_a_whole_input_the_rails_are_added(tree: Written, clock: Clock) -> None:
    current = rail(tree, 1, "VDD_GPU_SOC", 4000, 500)
    rail(tree, 2, "VDD_CPU_CV", 4000, 250)
    rail(tree, 3, "sum of shunt voltages", 1, 1)
    counter = energy.find_counter()
    try:
        assert counter.source == "INA3221, VDD_GPU_SOC and VDD_CPU_CV"
        before = counter.read_uj()
        current.write_text("1500\n")  # from 3 W to 7 W
        clock.now_ns += 1_000_000_000
        assert counter.read_uj() - before == 5_000_000
    finally:
        counter.stop()


def test_what_does_not_count_is_a_sentence(
    tree: Written, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingError, match=r"no counter of energy \(RAPL or INA3221\)"):
        energy.find_counter()
    counter = zone(tree, "0", "package-0", 1)
    counter.write_text("many\n")
    with pytest.raises(MissingError, match="cannot be read: invalid literal"):
        energy.measure(clock.run)

    def refuse(path: Path) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(energy, "_number", refuse)
    with pytest.raises(MissingError) as info:
        energy.measure(clock.run)
    assert info.value.problem == f"{counter} may be read by root only"
    assert info.value.remedy is not None
    assert info.value.remedy.endswith(f"sudo chmod a+r {counter}")
