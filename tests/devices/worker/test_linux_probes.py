"""What a board says of itself, read from files laid out like a Raspberry Pi's."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.devices.worker import linux_probes


@pytest.fixture
def pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "proc/meminfo": "MemTotal:        8245248 kB\nMemFree:          100 kB\n",
        "proc/stat": "cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1 2 3\n",
        "sys/class/thermal/thermal_zone0/temp": "51300\n",
        "sys/class/thermal/thermal_zone1/temp": "48000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
        **{f"sys/devices/system/cpu/cpu{n}/topology/core_cpus_list": f"{n}\n" for n in range(4)},
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(linux_probes, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(linux_probes, "_SYS", tmp_path / "sys")
    return tmp_path


def test_a_board_is_described_by_its_device_tree(pi: Path) -> None:
    found = linux_probes.fingerprint()
    assert list(found) == [
        "model", "cpu", "architecture", "cores", "hardware_threads", "memory_bytes", "system",
        "python",
    ]  # fmt: skip
    assert found["model"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert found["cores"] == 4
    assert found["memory_bytes"] == 8245248 * 1024
    assert pi.exists()


def test_the_hottest_zone_and_the_frequency_count(pi: Path) -> None:
    assert linux_probes.temperature_celsius() == 51.3
    assert linux_probes.frequency_mhz() == 2400.0
    (pi / "sys/class/thermal/thermal_zone1/temp").write_text("-5000")
    assert linux_probes.temperature_celsius() == 51.3


def test_cores_that_run_two_threads_count_once(pi: Path) -> None:
    for number, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        path = pi / f"sys/devices/system/cpu/cpu{number}/topology/core_cpus_list"
        path.write_text(siblings)
    assert linux_probes.physical_cores() == 2


def test_busy_cores_come_from_two_looks_at_the_clock(
    pi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 200 ticks 50 were idle, on four threads: three of them were busy."""

    def sleep(_: float) -> None:
        (pi / "proc/stat").write_text("cpu  240 0 60 840 60 0 0 0 7 7\n")

    monkeypatch.setattr(linux_probes.time, "sleep", sleep)
    monkeypatch.setattr(linux_probes.os, "cpu_count", lambda: 4)
    assert linux_probes.busy_cores(0.1) == 3.0


def test_what_cannot_be_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_probes, "_PROC", tmp_path)
    monkeypatch.setattr(linux_probes, "_SYS", tmp_path)
    assert linux_probes.board_model() is None
    assert linux_probes.memory_bytes() is None
    assert linux_probes.physical_cores() is None
    assert linux_probes.temperature_celsius() is None
    assert linux_probes.frequency_mhz() is None
    assert linux_probes.busy_cores(0.0) is None


def test_free_space_is_what_an_ordinary_user_may_fill(tmp_path: Path) -> None:
    assert 0 < linux_probes.free_bytes(str(tmp_path)) < 1e18
