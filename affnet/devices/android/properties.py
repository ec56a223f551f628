"""What an Android phone says of itself; what cannot be read is None."""

from __future__ import annotations

import re
from typing import Any

from affnet.devices.android.adb_client import Adb

_SYSTEM = """
getprop
echo affnet-memory; cat /proc/meminfo
echo affnet-cores; cat /sys/devices/system/cpu/possible
"""
_STATE = """
echo affnet-cores; cat /sys/devices/system/cpu/possible
echo affnet-load; head -n 1 /proc/stat; sleep 0.3; head -n 1 /proc/stat
echo affnet-governor; cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
echo affnet-battery; dumpsys battery
echo affnet-thermal; dumpsys thermalservice
echo affnet-power; dumpsys power | grep mWakefulness=
"""
_PROPERTY = re.compile(r"^\[([^\]]+)\]: \[([^\]]*)\]", re.MULTILINE)
# PowerManager.THERMAL_STATUS_.. in Android's documentation
_THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
_PLUGGED = ("AC", "USB", "Wireless", "Dock")


def properties(text: str) -> dict[str, str]:
    """Read the output of ``getprop``: a line ``[name]: [value]`` for each."""
    return dict(_PROPERTY.findall(text))


def fingerprint(adb: Adb) -> dict[str, Any]:
    """Describe the phone: what may not differ between comparable results."""
    return parse_fingerprint(adb.shell(_SYSTEM).output)


def conditions(adb: Adb) -> dict[str, Any]:
    """Describe its state now."""
    return parse_conditions(adb.shell(_STATE).output)


def parse_fingerprint(text: str) -> dict[str, Any]:
    """Read what `fingerprint` asked for."""
    found = properties(text)
    parts = _sections(text)
    maker, model = found.get("ro.product.manufacturer"), found.get("ro.product.model")
    soc = " ".join(filter(None, (found.get("ro.soc.manufacturer"), found.get("ro.soc.model"))))
    memory = re.search(r"MemTotal:\s+(\d+) kB", parts.get("memory", ""))
    return {
        "model": " ".join(filter(None, (maker, model))) or None,
        "cpu": soc or found.get("ro.board.platform"),
        "hardware_threads": _cores(parts.get("cores", "")),
        "memory_bytes": int(memory[1]) * 1024 if memory else None,
        "architecture": found.get("ro.product.cpu.abi"),
        "system": f"Android {found.get('ro.build.version.release', 'of an unknown version')}",
        "build": found.get("ro.build.fingerprint"),
    }


def parse_conditions(text: str) -> dict[str, Any]:
    """Read what `conditions` asked for."""
    parts = _sections(text)
    battery, power = parts.get("battery", ""), parts.get("power", "")
    level, heat = _number(battery, "level"), _number(battery, "temperature")
    status = _number(parts.get("thermal", ""), "Thermal Status")
    awake = re.search(r"mWakefulness=(\w+)", power)
    governor = parts.get("governor", "").strip()
    return {
        "busy_cores": _busy_cores(parts.get("load", ""), _cores(parts.get("cores", ""))),
        "governor": governor if re.fullmatch(r"\w+", governor) else None,
        "temperature_celsius": None if heat is None else heat / 10,  # the battery's
        "battery_percent": level,
        "charging": any(f"{source} powered: true" in battery for source in _PLUGGED)
        if battery
        else None,
        "thermal_status": None
        if status is None
        else (_THERMAL[status] if status < len(_THERMAL) else str(status)),
        "screen": awake[1].lower() if awake else None,
    }


def _sections(text: str) -> dict[str, str]:
    """Split at lines such as ``affnet-memory``."""
    _, *parts = re.split(r"^affnet-(\w+)\r?\n", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _number(text: str, name: str) -> int | None:
    found = re.search(rf"^\s*{name}: (\d+)\s*$", text, re.MULTILINE)
    return int(found[1]) if found else None


def _cores(text: str) -> int | None:
    """Count the cores of a list such as ``0-3,6``."""
    text = text.strip()
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text):
        return None
    ranges = [part.partition("-") for part in text.split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)


def _busy_cores(text: str, cores: int | None) -> float | None:
    """Compare two ``cpu`` lines of /proc/stat, which hold the ticks of all cores together."""
    lines = [[*map(int, line.split()[1:9])] for line in re.findall(r"^cpu .*", text, re.MULTILINE)]
    if len(lines) != 2 or cores is None:
        return None
    ticks = [after - before for before, after in zip(*lines, strict=True)]
    idle, total = ticks[3] + ticks[4], sum(ticks)
    return round(cores * (1 - idle / total), 2) if total > 0 else None
