"""Counting energy on a phone: what its kernel shows, as their sources write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from affnet.devices.android import energy
from affnet.devices.android.adb_client import find_adb
from affnet.devices.android.selection import DeviceFilter, select_device
from affnet.devices.android.tools import process
from affnet.energy import Energy
from affnet.errors import MissingError
from tests.devices.android.adbd import Phone
from tests.devices.android.phones import Attached

_MAIN = ("S2M_VDD_CPUCL2", "S4M_VDD_CPUCL0", "VSYS_PWR_MODEM")
_SUB = ("S2S_VDD_G3D",)


def rails(main: int, sub: int, time_ms: int) -> str:
    """Return what both monitors of a Pixel show; a channel of the first is not measured."""
    enabled = "CH0[S2M_VDD_CPUCL2]:CPU(BIG)\nCH1[S4M_VDD_CPUCL0]:CPU(LITTLE)\n"
    return (
        f"affnet-enabled\n{enabled}affnet-rails\n{energy_value(_MAIN, main, time_ms)}"
        f"affnet-enabled\nCH0[S2S_VDD_G3D]:GPU\naffnet-rails\n{energy_value(_SUB, sub, time_ms)}"
        "affnet-battery\n"
    )


def energy_value(names: tuple[str, ...], each: int, time_ms: int) -> str:
    lines = [f"CH{i}(T={time_ms})[{name}], {each}" for i, name in enumerate(names)]
    return "\n".join([f"t={time_ms}", *lines, ""])


def battery(charge_uah: int, microvolts: int, uptime: float, status: str = "Discharging") -> str:
    return f"affnet-battery\n{uptime:.2f} 99.50\n{status}\n{charge_uah}\n{microvolts}\n"


@dataclass
class Shown:
    """A phone's shell at a clock of its own: 1 W at rest, and 3 W while a tool runs."""

    text: Callable[[float, float], str]  # of joules and seconds
    joules: float = 0.0
    seconds: float = 1000.0

    def shell(self, _: str) -> Any:
        return SimpleNamespace(output=self.text(self.joules, self.seconds))

    def sleep(self, seconds: float) -> None:
        self._pass(seconds, watts=1.0)

    def run(self, runs: int) -> None:
        """Load for 2 s, and infer, 10 ms each."""
        self._pass(2.0, watts=5.0)
        self._pass(runs * 0.01, watts=3.0)

    def _pass(self, seconds: float, watts: float) -> None:
        self.joules += seconds * watts
        self.seconds += seconds


def measured(shown: Shown) -> Energy:
    return energy.measure(shown, shown.run, 10e6, shown.sleep)  # type: ignore[arg-type]


def test_rails_give_what_an_inference_adds_to_rest() -> None:
    def shown(joules: float, seconds: float) -> str:
        each = round(joules / 3 * 1e6)
        return rails(each, each, round(seconds * 1000))

    found = measured(Shown(shown))
    assert (found.source, found.estimated, len(found.windows)) == ("ODPM, 3 power rails", False, 10)
    for window in found.windows:  # 2 W more for 10 ms
        assert window.runs == 300
        assert window.run_uj == pytest.approx(20_000, rel=1e-3)


def test_a_battery_gives_an_estimate() -> None:
    """4 V fall by a tenth while 3 Ah are left, which is no energy that was spent."""

    def shown(joules: float, seconds: float) -> str:
        charge = 3_000_000 - round(joules / 4 / 3600 * 1e6)
        return battery(charge, 3_900_000 if seconds > 1090 else 4_000_000, seconds)

    found = measured(Shown(shown))
    assert (found.source, found.estimated) == ("battery, charge times voltage", True)
    assert len(found.windows) == 3
    assert found.windows[1].run_uj == pytest.approx(20_000, rel=0.05)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_a_battery_that_is_fed_says_nothing(status: str) -> None:
    with pytest.raises(MissingError) as info:
        energy.parse(battery(3_000_000, 4_000_000, 1.0, status))
    assert f"is not discharging ({status.lower()})" in info.value.problem
    assert "adb tcpip 5555" in str(info.value.remedy)
    assert energy.parse(rails(1, 1, 1)).count == 3  # rails count behind the charger


@pytest.mark.parametrize(
    ("charge", "voltage"), [(3_000, 4_000_000), (3_000_000, 4_000), (40_000, 4_000_000)]
)
def test_a_battery_that_may_count_in_other_units_is_refused(charge: int, voltage: int) -> None:
    with pytest.raises(MissingError) as info:
        energy.parse(battery(charge, voltage, 1.0))
    assert info.value.problem == (
        "the phone's battery is nearly empty, or its kernel counts in units of its own: "
        f"{charge} would be uAh, and {voltage} uV"
    )


def test_what_does_not_count_is_a_sentence() -> None:
    for text in (
        "",
        "affnet-battery\n1.0 2.0\nDischarging\ncat: no such file\n",
        "affnet-rails\nx",
    ):
        with pytest.raises(MissingError, match="shows no counter of energy"):
            energy.parse(text)
    with pytest.raises(MissingError, match="did not move in 60 s of rest"):
        measured(Shown(lambda _, s: battery(3_000_000, 4_000_000, s)))


def _tree(phone: Phone, joules: float, seconds: float) -> None:
    """Write the files of a Pixel's two monitors."""
    each = round(joules / 3 * 1e6)
    for number, names in enumerate((_MAIN, _SUB)):
        folder = Path(f"{phone.root}/sys/bus/iio/devices/iio:device{number}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "energy_value").write_text(energy_value(names, each, round(seconds * 1000)))
        enabled = "".join(f"CH{i}[{name}]:X\n" for i, name in enumerate(names[:2]))
        (folder / "enabled_rails").write_text(enabled)


def test_the_real_client_reads_a_phone(attached: Attached) -> None:
    phone = attached.attach()
    adb = select_device(find_adb(), DeviceFilter())
    with pytest.raises(MissingError, match="shows no counter of energy"):
        energy.read(adb)
    supply = Path(f"{phone.root}/sys/class/power_supply/battery")
    supply.mkdir(parents=True)
    for name, value in {"status": "Discharging", "charge_counter": 3_000_000,
                        "voltage_now": 4_100_000}.items():  # fmt: skip
        (supply / name).write_text(f"{value}\n")
    assert energy.read(adb).battery_uv == 4_100_000
    (supply / "status").write_text("Charging\n")
    with pytest.raises(MissingError, match=r"is not discharging \(charging\)"):
        energy.read(adb)
    _tree(phone, joules=3.0, seconds=7.5)
    reading = energy.read(adb)
    assert (reading.source, reading.count) == ("ODPM, 3 power rails", 3_000_000)
    assert reading.time_ns == 7_500_000_000


def test_a_tool_s_process_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, invoked = Shown(lambda joules, s: rails(round(joules * 1e6), 0, round(s * 1000))), []

    def invoke(invocation: Any) -> Any:
        invoked.append(invocation.runs)
        shown.run(invocation.runs)
        return SimpleNamespace(report=report)

    report: Any = SimpleNamespace(
        samples_ns=[10_000_000], load_ns=1, first_inference_ns=1, block=None
    )
    invoker: Any = SimpleNamespace(
        phone=SimpleNamespace(adb=shown),
        invoke=invoke,
        settings=SimpleNamespace(gpu=False),
        tool=SimpleNamespace(NAME="tool"),
        runner=SimpleNamespace(version="1"),
    )
    monkeypatch.setattr(energy, "measure", _with_sleep(shown))
    tool = process.ToolProcess(invoker, SimpleNamespace(), "graph", report)  # type: ignore[arg-type]
    found = tool.energy()
    assert isinstance(found, Energy)
    assert invoked == [20, *[1, 301] * 10]
    shown.text = lambda _, __: ""
    assert tool.energy() == "the phone shows no counter of energy (ODPM, or its battery's charge)"


def _with_sleep(shown: Shown) -> Callable[..., Energy]:
    original = energy.measure
    return lambda adb, run, typical: original(adb, run, typical, shown.sleep)
