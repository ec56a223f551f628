"""What a Linux system says of itself in /proc and /sys, read without any package.

It runs on boards that have nothing but Python.  What cannot be read is None.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from affnet.devices.worker import host_probes

_PROC = Path("/proc")
_SYS = Path("/sys")


def read(path: Path) -> str | None:
    """Return a file's text without its end, where firmware puts a zero; None if unreadable."""
    try:
        return path.read_text(errors="replace").strip(" \t\r\n\0") or None
    except OSError:
        return None


def sys_folder() -> Path:
    """Return where the kernel shows its devices."""
    return _SYS


def board_model() -> str | None:
    """Return what the board calls itself: its device tree's model, or a PC's product name."""
    return read(_PROC / "device-tree/model") or read(_SYS / "class/dmi/id/product_name")


def system_name() -> str:
    """Return the distribution and the kernel."""
    entries = dict(
        line.split("=", 1)
        for line in (read(Path("/etc/os-release")) or "").splitlines()
        if "=" in line
    )
    name = entries.get("PRETTY_NAME", platform.system()).strip("\"'")
    return f"{name}, Linux {platform.release()}"


def cpu_flags() -> list[str]:
    """Return the flags of the first core in /proc/cpuinfo; none where there is no such file."""
    for line in (read(_PROC / "cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("Features", "flags"):  # on Arm, on x86
            return value.split()
    return []


def memory_bytes() -> int | None:
    """Return the size of the memory."""
    for line in (read(_PROC / "meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def physical_cores() -> int | None:
    """Return how many cores there are, however many threads each runs."""
    cores = {
        read(path) for path in _SYS.glob("devices/system/cpu/cpu[0-9]*/topology/core_cpus_list")
    }
    return len(cores - {None}) or None


def temperature_celsius() -> float | None:
    """Return the reading of the hottest thermal zone."""
    readings = (read(path) for path in _SYS.glob("class/thermal/thermal_zone*/temp"))
    values = [int(text) / 1000 for text in readings if text and text.lstrip("-").isdigit()]
    return max(values, default=None)


def frequency_mhz() -> float | None:
    """Return the current frequency of the first core."""
    text = read(_SYS / "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    return int(text) / 1000 if text and text.isdigit() else None


def userland() -> dict[str, Any]:
    """Return what wheels are built for: the bits of an address, and the C library.

    A kernel of 64 bits, which the architecture names, may run a system of 32.
    """
    musl = any(Path("/lib").glob("ld-musl-*"))
    libc = platform.libc_ver()[0] or ("musl" if musl else "")
    return {"bits": 64 if sys.maxsize > 2**32 else 32, "libc": libc}


def free_bytes(folder: str) -> int:
    """Return how much an ordinary user may still write into ``folder``."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def busy_cores(interval_s: float) -> float | None:
    """Return how many cores were busy over ``interval_s``."""
    before = _cpu_times()
    time.sleep(interval_s)
    after = _cpu_times()
    if before is None or after is None or after[1] <= before[1]:
        return None
    idle_share = (after[0] - before[0]) / (after[1] - before[1])
    return round((1 - idle_share) * (os.cpu_count() or 1), 2)


def _cpu_times() -> tuple[int, int] | None:
    """Return idle and total time of all cores, in ticks (proc(5))."""
    line = (read(_PROC / "stat") or "").partition("\n")[0].split()
    if len(line) < 9 or line[0] != "cpu":
        return None
    values = [int(value) for value in line[1:9]]  # guest time, after these, is in user time already
    return values[3] + values[4], sum(values)


def fingerprint() -> dict[str, Any]:
    """Describe this board's hardware and system."""
    return {
        "model": board_model(),
        "cpu": host_probes.cpu_model(),
        "architecture": platform.machine(),
        "cores": physical_cores(),
        "hardware_threads": os.cpu_count(),
        "memory_bytes": memory_bytes(),
        "system": system_name(),
        "python": platform.python_version(),
    }


def conditions(interval_s: float = 0.5) -> dict[str, Any]:
    """Describe this board's state, watching its processor for ``interval_s``."""
    return {
        "busy_cores": busy_cores(interval_s),
        "load_average": host_probes.load_average(),
        "governor": host_probes.frequency_governor(),
        "frequency_mhz": frequency_mhz(),
        "temperature_celsius": temperature_celsius(),
    }
