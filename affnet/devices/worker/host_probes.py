"""What a host says of itself.

Each probe may know one system's own files; where it does not apply it returns None.  Everything
else comes from psutil and the standard library.  Boards have no psutil: what they need of this is
in functions that do without.
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

_PATIENCE_S = 10


def peak_rss_bytes() -> int:
    """Return the largest resident set this process has had.

    On Linux it is read from /proc: getrusage's figure there is inherited from the parent process
    across fork and exec, so a small child of a large parent would seem large.
    """
    if (peak := high_water_mark("self")) is not None:
        return peak
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if platform.system() == "Darwin" else used * 1024


def high_water_mark(process: int | str) -> int | None:
    """Return the largest resident set in bytes that a process has had (Linux)."""
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def pss_bytes(process: int | str) -> int | None:
    """Return a process's proportional set size in bytes (Linux, from 4.14 on).

    A page that several processes share counts for each by its share: such as those of a library.
    """
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def cpu_model() -> str:
    """Return the processor's marketing name, or the best the system offers."""
    return _cpu_model_linux() or _cpu_model_mac() or platform.processor() or platform.machine()


def _cpu_model_linux() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):  # the latter on Raspberry Pi
            return value.strip()
    return None


def _cpu_model_mac() -> str | None:
    if platform.system() != "Darwin":
        return None
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() or None


def frequency_governor() -> str | None:
    """Return the frequency governor of the first core (Linux)."""
    try:
        path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        return path.read_text().strip()
    except OSError:
        return None


def temperature_celsius() -> float | None:
    """Return the hottest sensor's reading, where the system has sensors that psutil reads."""
    import psutil

    sensors: dict[str, Any] = getattr(psutil, "sensors_temperatures", dict)()
    readings = [entry.current for entries in sensors.values() for entry in entries]
    return max(readings, default=None)


def load_average() -> float | None:
    """Return the one-minute load average, where the system keeps one."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def cpu_frequency_mhz() -> float | None:
    """Return the current frequency of the processor, where readable."""
    import psutil

    try:
        frequency = psutil.cpu_freq()
    except (OSError, RuntimeError, NotImplementedError):
        return None
    return frequency.current if frequency else None


def fingerprint() -> dict[str, Any]:
    """Describe this host's hardware and system."""
    import psutil

    return {
        "kind": "host",
        "cpu": cpu_model(),
        "architecture": platform.machine(),
        "cores": psutil.cpu_count(logical=False),
        "hardware_threads": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def conditions(interval_s: float = 0.5) -> dict[str, Any]:
    """Describe this host's state, watching the processor for ``interval_s``."""
    import psutil

    busy = psutil.cpu_percent(interval=interval_s, percpu=True)
    return {
        "busy_cores": round(sum(busy) / 100, 2),
        "load_average": load_average(),
        "governor": frequency_governor(),
        "frequency_mhz": cpu_frequency_mhz(),
        "temperature_celsius": temperature_celsius(),
    }
