"""Which of the attached phones is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affnet.devices.android import properties
from affnet.devices.android.adb_client import Adb, Listed, check_state, list_phones
from affnet.errors import UnreachableError


@dataclass(frozen=True)
class DeviceFilter:
    """What is known of the phone; None fits each."""

    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None

    def __str__(self) -> str:
        if self.serial:
            return f"the phone {self.serial}"
        return f"the {' '.join(filter(None, (self.manufacturer, self.model)))} phone".replace(
            "the  phone", "the one phone"
        )

    def matches(self, manufacturer: str, model: str) -> bool:
        """Whether a phone is one of this kind; case does not count."""
        return (self.manufacturer or manufacturer).casefold() == manufacturer.casefold() and (
            self.model or model
        ).casefold() == model.casefold()


def select_device(program: str, wanted: DeviceFilter) -> Adb:
    """Return the one attached phone that is meant.

    Raises:
        UnreachableError: none fits or several do, or it cannot be used.
    """
    attached = list_phones(program)
    if wanted.serial:
        return _by_serial(program, wanted.serial, attached)
    if not attached:
        raise UnreachableError(
            "No Android phone is attached",
            "plug one in, and enable USB debugging in its developer options.",
        )
    kinds: dict[str, tuple[str, str]] = {}
    for phone in attached:
        if phone.state == "device":
            kinds[phone.serial] = _kind(Adb(program, phone.serial))
    fitting = [serial for serial, kind in kinds.items() if wanted.matches(*kind)]
    if len(fitting) == 1:
        return Adb(program, fitting[0])
    if fitting:
        names = ", ".join(f"{serial} ({kinds[serial][1]})" for serial in fitting)
        raise UnreachableError(
            f"Several phones fit: {names}",
            f"name one by its serial number as the device, such as {fitting[0]}.",
        )
    for phone in attached:  # it may be the one, but does not say so
        check_state(phone)
    names = ", ".join(f"{serial} ({' '.join(kind)})" for serial, kind in kinds.items())
    raise UnreachableError(f"None of the attached phones is {wanted}; attached: {names}.")


def _by_serial(program: str, serial: str, attached: Sequence[Listed]) -> Adb:
    for phone in attached:
        if phone.serial == serial:
            check_state(phone)
            return Adb(program, serial)
    others = ", ".join(phone.serial for phone in attached) or "none"
    remedy = f"run: adb connect {serial}" if ":" in serial else "plug it in"
    raise UnreachableError(f"The phone {serial} is not attached (attached: {others})", remedy)


def _kind(adb: Adb) -> tuple[str, str]:
    """Return manufacturer and model."""
    found = properties.properties(adb.shell("getprop").output)
    return found.get("ro.product.manufacturer", ""), found.get("ro.product.model", "")
