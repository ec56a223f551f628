"""Energy of inferences on a phone, by what its kernel reports in /sys.

A Pixel's power monitor (ODPM) counts the energy of each rail: ``energy_value`` has the time of the
snapshot in ms and a line for each channel, in uWs, and ``enabled_rails`` those that are measured
(drivers/iio/power/odpm.c of Google's kernels)::

    t=4321000                              CH3[S2M_VDD_CPUCL2]:CPU(BIG)
    CH3(T=4321000)[S2M_VDD_CPUCL2], 98765

Other phones have the charge that is left in the battery, ``charge_counter`` in uAh, which times
``voltage_now`` in uV is an estimate (Documentation/ABI/testing/sysfs-class-power of Linux).  Its
steps are coarse, it is of the whole phone, and it says nothing while a cable feeds it.  Kernels of
some makers count in mAh and mV, which the values show.  ``current_now`` is not read: it is one
moment's, or the mean of a time that each gauge chooses, so that somebody would have to wake the
phone all the time to add it up, and makers agree neither on its sign nor on its unit.

A tool loads the model and warms up in each invocation.  So each window has a short invocation and a
long one, and counted is what the long one takes more.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from affnet.devices.android.adb_client import Adb
from affnet.energy import Energy, EnergyWindow
from affnet.errors import MissingError

_READ = """
for folder in /sys/bus/iio/devices/iio:device*; do
  if [ -r "$folder/energy_value" ]; then
    echo affnet-enabled; cat "$folder/enabled_rails"
    echo affnet-rails; cat "$folder/energy_value"
  fi
done
battery=/sys/class/power_supply/battery
echo affnet-battery; cat /proc/uptime $battery/status $battery/charge_counter $battery/voltage_now
"""
_ENABLED = re.compile(r"^CH\d+\[([^\]]+)\]", re.MULTILINE)
_RAIL = re.compile(r"^CH\d+\(T=\d+\)\[([^\]]+)\], (\d+)\s*$", re.MULTILINE)
_TIME = re.compile(r"^t=(\d+)\s*$", re.MULTILINE)
_BATTERY = re.compile(r"([\d.]+) [\d.]+\s+([A-Z][a-z ]+?)\s+(\d+)\s+(\d+)\s*")
_DISCHARGING = "Discharging"
_LEAST_UAH = 50_000  # a hundredth of a battery: less is nearly empty, or counted in mAh
_VOLTAGES_UV = range(2_000_000, 30_000_000)  # of one cell to several


@dataclass(frozen=True)
class Reading:
    """What a counter shows at a moment; count and time begin anywhere."""

    source: str
    count: int  # of rails in uJ, of a battery in uAh, which falls
    time_ns: int
    battery_uv: int | None = None  # None: rails

    @property
    def estimated(self) -> bool:
        """Whether it is the battery's."""
        return self.battery_uv is not None

    def spent_uj(self, before: Reading) -> int:
        """Return the energy since another reading."""
        if self.battery_uv is None or before.battery_uv is None:
            return self.count - before.count
        volts = (self.battery_uv + before.battery_uv) / 2e6
        return round((before.count - self.count) * 3600 * volts)  # uAh are 3600 uC

    @property
    def window_s(self) -> float:
        """How long to rest and to run until its steps are small beside what is counted."""
        return 60.0 if self.estimated else 3.0

    @property
    def windows(self) -> int:
        """How many such pairs: those of a battery take minutes."""
        return 3 if self.estimated else 10


def measure(
    adb: Adb,
    run: Callable[[int], object],
    typical_ns: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Energy:
    """Let the phone rest and ``run`` so many inferences in turns; one takes ``typical_ns``.

    Raises:
        MissingError: nothing counts there, or not while it is charged.
        AffnetError: as ``run`` and the phone's shell.
    """
    first = read(adb)
    more = math.ceil(first.window_s * 1e9 / max(typical_ns, 1))
    windows = tuple(_window(adb, run, more, first, sleep) for _ in range(first.windows))
    return Energy(first.source, windows, first.estimated)


def _window(
    adb: Adb,
    run: Callable[[int], object],
    more: int,
    first: Reading,
    sleep: Callable[[float], None],
) -> EnergyWindow:
    readings = [read(adb)]
    sleep(first.window_s)
    readings.append(read(adb))
    for runs in (1, 1 + more):
        run(runs)
        readings.append(read(adb))
    start, rested, short, long = readings
    if any(one.source != first.source for one in readings):
        raise MissingError("the counter of energy there changed while it was read")
    window = EnergyWindow(
        rested.spent_uj(start),
        rested.time_ns - start.time_ns,
        long.spent_uj(short) - short.spent_uj(rested),
        (long.time_ns - short.time_ns) - (short.time_ns - rested.time_ns),
        more,
    )
    if min(window.idle_uj, window.idle_ns, window.load_uj, window.load_ns) <= 0:
        raise MissingError(
            f"its counter ({first.source}) did not move in {first.window_s:.0f} s of rest and as "
            "much of inferences"
        )
    return window


def read(adb: Adb) -> Reading:
    """Return what the phone's counter shows now.

    Raises:
        MissingError: there is none, or it says nothing now.
    """
    return parse(adb.shell(_READ).output)


def parse(text: str) -> Reading:
    """Read what `read` asked for."""
    rails, _, battery = text.partition("affnet-battery")
    names = {*_ENABLED.findall(rails)}
    counts = [int(energy) for name, energy in _RAIL.findall(rails) if name in names]
    if counts and (moment := _TIME.search(rails)):
        source = f"ODPM, {len(counts)} power rails"
        return Reading(source, sum(counts), int(moment[1]) * 1_000_000)
    found = _BATTERY.search(battery)
    if found is None:
        raise MissingError("the phone shows no counter of energy (ODPM, or its battery's charge)")
    uptime, status, charge, voltage = found.groups()
    if status != _DISCHARGING:
        raise MissingError(
            f"the phone's battery is not discharging ({status.lower()}), and its counter says "
            "nothing of what a cable feeds",
            "unplug it, and connect by adb over Wi-Fi: adb tcpip 5555, adb connect ADDRESS.",
        )
    if int(charge) < _LEAST_UAH or int(voltage) not in _VOLTAGES_UV:
        raise MissingError(
            "the phone's battery is nearly empty, or its kernel counts in units of its own: "
            f"{charge} would be uAh, and {voltage} uV"
        )
    time_ns = round(float(uptime) * 1e9)
    return Reading("battery, charge times voltage", int(charge), time_ns, int(voltage))
