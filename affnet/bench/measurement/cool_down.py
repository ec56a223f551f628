"""A turn begins only while the device is as cool and as charged as its settings say."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from affnet.devices.base import Device, Settings
from affnet.errors import CatalogError, UnreachableError

_LOOK_EVERY_S = 5.0
_STEP_S = 0.2  # an interrupted thread ends at the next


def wait_until_fit(device: Device, progress: Callable[[str], None] = lambda _: None) -> float:
    """Wait until ``device`` is below its `max_temperature` and above its `min_battery`.

    Returns the seconds that it waited, 0 where it was fit at once; where neither is set nothing is
    looked at.

    Raises:
        CatalogError: the device does not report what is limited.
        UnreachableError: it is not fit within `cool_down_s`.
    """
    settings = device.settings
    if settings.max_temperature is None and settings.min_battery is None:
        return 0.0
    start, waited = time.monotonic(), 0.0
    while reasons := _against(device.name, settings, device.conditions()):
        reason = " and ".join(reasons)
        if waited >= settings.cool_down_s:
            raise UnreachableError(
                f"{device.name} {reason}"
                + (f", still after {waited:.0f} s" if settings.cool_down_s > 0 else ""),
                "let it recover, or change its limits or cool_down_s in devices.toml.",
            )
        until = min(start + settings.cool_down_s, time.monotonic() + _LOOK_EVERY_S)
        while (now := time.monotonic()) < until:
            progress(f"Waiting, as {device.name} {reason}; {now - start:.0f} s so far")
            time.sleep(_STEP_S)
            waited = time.monotonic() - start
    return waited


def _against(name: str, settings: Settings, now: dict[str, Any]) -> list[str]:
    """Return why no turn may begin, a clause each."""
    reasons = []
    if (limit := settings.max_temperature) is not None:
        heat = _known(name, "max_temperature", now.get("temperature_celsius"), "temperature")
        if heat > limit:
            reasons.append(f"has {heat:g} degrees Celsius, over the {limit:g} that it may have")
    if (limit := settings.min_battery) is not None:
        charge = _known(name, "min_battery", now.get("battery_percent"), "battery")
        if charge < limit:
            reasons.append(f"is charged to {charge:g} %, below the {limit:g} that it must have")
    return reasons


def _known(name: str, setting: str, found: float | None, what: str) -> float:
    if found is None:
        raise CatalogError(
            f"{name} reports no {what}, but {setting} is set for it",
            "remove it from devices.toml.",
        )
    return found
