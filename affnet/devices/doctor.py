"""What is configured and reachable, and what a device lacks."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from affnet.devices.base import Capabilities, Check
from affnet.devices.catalog import Entry, open_device
from affnet.devices.registry import device_class
from affnet.table import Table, texts

_AT_ONCE = 8


@dataclass(frozen=True)
class DeviceStatus:
    """A configured device, and whether it can be reached."""

    entry: Entry
    reachable: bool
    detail: str
    capabilities: Capabilities

    def record(self) -> dict[str, Any]:
        """Return the machine-readable form."""
        return {
            "name": self.entry.name,
            "kind": self.entry.kind,
            "reachable": self.reachable,
            "detail": self.detail,
            "settings": self.entry.settings,
            **dataclasses.asdict(self.capabilities),
        }


def probe_all(entries: Iterable[Entry]) -> list[DeviceStatus]:
    """Try to reach each device, several at once."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(_probe, entries))


def diagnose(entry: Entry) -> Generator[Check]:
    """Find out step by step what works on a device; see `Device.checks`."""
    yield from open_device(entry).checks()


def _probe(entry: Entry) -> DeviceStatus:
    with contextlib.closing(diagnose(entry)) as checks:  # one step, and the connection is closed
        first = next(checks)
    return DeviceStatus(entry, first.passed, first.detail, device_class(entry.kind).capabilities)


def table(statuses: Iterable[DeviceStatus]) -> Table:
    """Return one row for each device."""
    rows = [
        (
            status.entry.name,
            status.entry.kind,
            "yes" if status.reachable else "no",
            status.detail,
        )
        for status in statuses
    ]
    return Table(texts("device", "kind", "reachable", "detail"), rows)


def check_record(check: Check) -> dict[str, Any]:
    """Return the machine-readable form of a step."""
    return dataclasses.asdict(check)


def check_lines(check: Check) -> list[str]:
    """Return a step as a line, with a second one for what fixes it."""
    state = "ok" if check.passed else "MISSING" if check.needed else "absent"
    line = f"{state:<8} {check.step}: {check.detail}"
    return [line] if check.passed or not check.remedy else [line, f"         fix: {check.remedy}"]
