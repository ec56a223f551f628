"""What a host says of itself: sane values, or None where it cannot tell."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from affnet.devices.catalog import get_device
from affnet.devices.worker import host_probes


def failing(error: type[Exception]) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def test_the_fingerprint_describes_the_machine() -> None:
    found = get_device("host").fingerprint()
    assert list(found) == [
        "kind", "cpu", "architecture", "cores", "hardware_threads", "memory_bytes", "system",
        "python",
    ]  # fmt: skip
    assert found["kind"] == "host"
    assert found["cpu"]
    assert found["hardware_threads"] == os.cpu_count()
    assert found["cores"] is None or 1 <= found["cores"] <= found["hardware_threads"]
    assert found["memory_bytes"] > 1e8
    assert found["system"].startswith(platform.system())
    assert found["python"] == platform.python_version()


def test_conditions_have_their_keys_and_sane_values() -> None:
    found = host_probes.conditions(interval_s=0.1)
    assert set(found) == {
        "busy_cores", "load_average", "governor", "frequency_mhz", "temperature_celsius",
    }  # fmt: skip
    assert 0 <= found["busy_cores"] <= (os.cpu_count() or 1)
    assert found["load_average"] is None or found["load_average"] >= 0
    assert found["governor"] is None or found["governor"].isidentifier()
    assert found["frequency_mhz"] is None or 0 <= found["frequency_mhz"] < 10_000
    assert found["temperature_celsius"] is None or -50 < found["temperature_celsius"] < 150


def test_busy_cores_are_the_sum_over_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_percent", lambda **_: [100.0, 50.0, 3.0])
    assert host_probes.conditions(0)["busy_cores"] == 1.53


def test_peak_memory_grows_with_what_is_touched() -> None:
    before = host_probes.peak_rss_bytes()
    now = psutil.Process().memory_info().rss
    assert before >= 0.9 * now
    held = bytearray(os.urandom(1) * (before - now + 150_000_000))
    grown = host_probes.peak_rss_bytes()
    assert grown - before > 100_000_000
    del held
    assert host_probes.peak_rss_bytes() >= grown  # a peak, not the present


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_the_proportional_set_counts_what_is_shared_by_its_share() -> None:
    before = host_probes.pss_bytes("self")
    held = bytearray(os.urandom(1) * 100_000_000)
    grown = host_probes.pss_bytes(os.getpid())
    del held
    assert before is not None
    assert grown is not None
    assert 90_000_000 < grown - before < 110_000_000
    assert before <= psutil.Process().memory_info().rss


def test_the_proportional_set_is_not_told_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", failing(FileNotFoundError))
    assert host_probes.pss_bytes("self") is None


def test_peak_memory_has_a_source_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", failing(FileNotFoundError))
    assert 2e7 < host_probes.peak_rss_bytes() < 1e11


def test_what_cannot_be_read_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", failing(PermissionError))
    monkeypatch.setattr(psutil, "cpu_freq", failing(NotImplementedError))
    monkeypatch.setattr(psutil, "sensors_temperatures", dict, raising=False)
    monkeypatch.setattr(os, "getloadavg", failing(OSError))
    assert host_probes.frequency_governor() is None
    assert host_probes.cpu_frequency_mhz() is None
    assert host_probes.temperature_celsius() is None
    assert host_probes.load_average() is None
    assert host_probes.cpu_model() == (platform.processor() or platform.machine())


def test_the_hottest_sensor_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = {
        "disk": [SimpleNamespace(current=38.0)],
        "cpu": [SimpleNamespace(current=41.0), SimpleNamespace(current=71.5)],
    }
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: readings, raising=False)
    assert host_probes.temperature_celsius() == 71.5


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC\n", "AMD EPYC"),
        ("processor\t: 0\nModel\t\t: Raspberry Pi 5 Model B\n", "Raspberry Pi 5 Model B"),
    ],
)
def test_the_processor_s_name_is_read_from_cpuinfo(
    monkeypatch: pytest.MonkeyPatch, cpuinfo: str, name: str
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda _: cpuinfo)
    assert host_probes.cpu_model() == name


def test_the_governor_is_read_from_sysfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda _: "schedutil\n")
    assert host_probes.frequency_governor() == "schedutil"


def test_a_mac_s_processor_is_asked_of_sysctl(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> SimpleNamespace:
        assert command[-1] == "machdep.cpu.brand_string"
        return SimpleNamespace(stdout="Apple M2\n")

    monkeypatch.setattr(Path, "read_text", failing(FileNotFoundError))
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(host_probes.subprocess, "run", run)
    assert host_probes.cpu_model() == "Apple M2"


def test_a_mac_s_sysctl_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], *, timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(Path, "read_text", failing(FileNotFoundError))
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    monkeypatch.setattr(host_probes.subprocess, "run", run)
    assert host_probes.cpu_model() == "arm"
