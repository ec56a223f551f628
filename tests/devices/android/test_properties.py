"""What phones say of themselves, and what they leave out."""

from __future__ import annotations

import pytest

from affnet.devices.android.properties import parse_conditions, parse_fingerprint

SYSTEM = """[ro.board.platform]: [kalama]
[ro.product.cpu.abi]: [arm64-v8a]
[ro.product.manufacturer]: [samsung]
[ro.product.model]: [SM-S918B]
[ro.build.version.release]: [14]
affnet-memory
MemTotal:        7556904 kB
MemFree:          171084 kB
affnet-cores
0-3,5,7
"""
STATE = """affnet-cores
0-7
affnet-load
cpu  100 0 100 1000 0 0 0 0 0 0
cpu  130 0 130 1340 0 0 0 0 0 0
affnet-governor
schedutil
affnet-battery
Current Battery Service state:
  AC powered: false
  USB powered: false
  Max charging current: 500000
  level: 57
  temperature: 334
affnet-thermal
IsStatusOverride: false
Thermal Status: 3
affnet-power
  mWakefulness=Dozing
"""


def test_a_phone_without_the_properties_of_a_soc_names_its_platform() -> None:
    found = parse_fingerprint(SYSTEM)
    assert found["model"] == "samsung SM-S918B"
    assert (found["cpu"], found["architecture"]) == ("kalama", "arm64-v8a")
    assert (found["hardware_threads"], found["memory_bytes"]) == (6, 7556904 * 1024)
    assert (found["system"], found["build"]) == ("Android 14", None)


def test_the_state_of_a_hot_phone_in_a_pocket() -> None:
    assert parse_conditions(STATE) == {
        "busy_cores": pytest.approx(8 * 60 / 400),
        "governor": "schedutil",
        "temperature_celsius": 33.4,
        "battery_percent": 57,
        "charging": False,
        "thermal_status": "severe",
        "screen": "dozing",
    }


def test_what_a_phone_does_not_tell_is_none() -> None:
    assert set(parse_conditions("cat: Permission denied\n").values()) == {None}
    forbidden = (
        "affnet-load\nhead: /proc/stat: Permission denied\naffnet-governor\ncat: no such file\n"
    )
    assert set(parse_conditions(forbidden).values()) == {None}
    found = parse_fingerprint("affnet-cores\ncat: denied\n")
    assert found.pop("system") == "Android of an unknown version"
    assert set(found.values()) == {None}
