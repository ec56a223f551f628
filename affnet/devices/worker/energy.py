"""Energy of inferences by what Linux reports in /sys: RAPL on hosts, INA3221 rails on a Jetson.

It runs on boards that have nothing but Python.  RAPL counts energy itself, of whole processor
packages.  An INA3221 shows the power of rails at a moment, so a thread adds it up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from affnet.devices.worker import linux_probes
from affnet.errors import MissingError

WINDOWS = 10
_WINDOW_S = 1.0  # of rest, and again of inferences: the counters move a thousand times
_SAMPLE_EVERY_S = 0.02
_TOTAL_RAIL = "VDD_IN"  # what a Jetson takes in all
_NO_RAIL = "sum of shunt voltages"  # what the chip's driver calls an input that is none


class Counter(Protocol):
    """Counts energy from its start on."""

    source: str

    def read_uj(self) -> int:
        """Return the energy so far, in microjoules."""
        ...

    def stop(self) -> None:
        """End what it does in the background."""
        ...


class RaplCounter:
    """Sums the processor packages' counters, each of which begins again at its largest value."""

    def __init__(self, zones: list[Path]) -> None:
        self.source = f"RAPL, {' and '.join(map(_zone_name, zones))}"
        self._zones = {zone: _number(zone / "energy_uj") for zone in zones}
        self._ranges = {zone: _number(zone / "max_energy_range_uj") for zone in zones}
        self._total = 0

    def read_uj(self) -> int:
        """See `Counter.read_uj`: it is asked for more often than a counter begins again."""
        for zone, before in self._zones.items():
            now = self._zones[zone] = _number(zone / "energy_uj")
            self._total += now - before + (self._ranges[zone] + 1 if now < before else 0)
        return self._total

    def stop(self) -> None:
        """See `Counter.stop`."""


class RailCounter:
    """Adds up the power of rails, as often as a thread looks."""

    def __init__(self, rails: dict[str, tuple[Path, Path]]) -> None:
        self.source = f"INA3221, {' and '.join(rails)}"
        self._rails = rails
        self._total = 0.0
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._last = time.monotonic(), self._power_uw()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def read_uj(self) -> int:
        """See `Counter.read_uj`."""
        with self._lock:
            self._add()
            return round(self._total)

    def stop(self) -> None:
        """See `Counter.stop`."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_EVERY_S):
            with self._lock:
                self._add()

    def _add(self) -> None:
        (then, before), now = self._last, time.monotonic()
        power = self._power_uw()
        self._total += (before + power) / 2 * (now - then)
        self._last = now, power

    def _power_uw(self) -> int:
        return sum(_number(volts) * _number(amperes) for volts, amperes in self._rails.values())


def find_counter() -> Counter:
    """Return what counts energy here.

    Raises:
        MissingError: nothing does, or only root may read it.
    """
    zones = sorted((linux_probes.sys_folder() / "class/powercap").glob("intel-rapl:*"))
    packages = [zone for zone in zones if _zone_name(zone).startswith("package-")]
    try:
        if packages:
            return RaplCounter(packages)
        if rails := _rails():
            return RailCounter(rails)
    except PermissionError as error:
        raise MissingError(
            f"{error.filename} may be read by root only",
            f"run there, until it is next started: sudo chmod a+r {error.filename}",
        ) from error
    except (OSError, ValueError) as error:
        raise MissingError(f"the counter of energy there cannot be read: {error}") from error
    raise MissingError("the system there has no counter of energy (RAPL or INA3221)")


def measure(run: Callable[[], object], windows: int = WINDOWS) -> dict[str, Any]:
    """Let the process rest and run in turns; return the counter's name and what each took.

    Raises:
        MissingError: as `find_counter`.
    """
    counter = find_counter()
    try:
        _run_for(run, _WINDOW_S)  # the first runs are slower
        return {
            "source": counter.source,
            "windows": [_window(run, counter) for _ in range(windows)],
        }
    except (OSError, ValueError) as error:
        raise MissingError(f"the counter of energy there cannot be read: {error}") from error
    finally:
        counter.stop()


def _window(run: Callable[[], object], counter: Counter) -> dict[str, int]:
    start_uj, start = counter.read_uj(), time.perf_counter_ns()
    time.sleep(_WINDOW_S)
    middle_uj, middle = counter.read_uj(), time.perf_counter_ns()
    runs = _run_for(run, _WINDOW_S)
    end_uj, end = counter.read_uj(), time.perf_counter_ns()
    return {
        "idle_uj": middle_uj - start_uj,
        "idle_ns": middle - start,
        "load_uj": end_uj - middle_uj,
        "load_ns": end - middle,
        "runs": runs,
    }


def _run_for(run: Callable[[], object], seconds: float) -> int:
    until, runs = time.monotonic() + seconds, 0
    while runs == 0 or time.monotonic() < until:
        run()
        runs += 1
    return runs


def _rails() -> dict[str, tuple[Path, Path]]:
    """Return the files of each rail's voltage and current: of the whole input, or of all others."""
    found = {}
    for chip in sorted((linux_probes.sys_folder() / "class/hwmon").glob("hwmon*")):
        if linux_probes.read(chip / "name") != "ina3221":
            continue
        for label in sorted(chip.glob("in[1-3]_label")):
            name, number = linux_probes.read(label), label.name[2]
            if name and name != _NO_RAIL and (chip / f"curr{number}_input").exists():
                found[name] = chip / f"in{number}_input", chip / f"curr{number}_input"
    return {_TOTAL_RAIL: found[_TOTAL_RAIL]} if _TOTAL_RAIL in found else found


def _zone_name(zone: Path) -> str:
    return linux_probes.read(zone / "name") or ""


def _number(path: Path) -> int:
    return int(path.read_text())
