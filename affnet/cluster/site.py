"""What a worker's host offers: its devices, its versions, and quiet for those who measure."""

from __future__ import annotations

import platform
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from affnet import __version__
from affnet.cluster.quiet import ALONE, ATTACHED, Quiet
from affnet.devices.base import Device, check_timed
from affnet.devices.catalog import Entry, open_device

#: What a device without a wire to another machine has for an address; see `Device.address`.
_HERE = "this machine"


class Site:
    """One host, as its `affnet worker` offers it; its tasks share it."""

    def __init__(self, entries: Sequence[Entry], packages: Mapping[str, str | None]) -> None:
        """Offer devices; ``packages`` are the versions of those that decide what files give."""
        self._entries = {entry.name: entry for entry in entries}
        for entry in entries:
            check_timed(open_device(entry))
        self._id = uuid.uuid4().hex
        self._packages = dict(packages)
        self.quiet = Quiet()
        self._under_way: dict[object, Callable[[], None]] = {}
        self._lock = threading.Lock()

    def announcement(self, device: str | None) -> dict[str, Any]:
        """Return what the lab is to know of the worker of ``device``, or of the one that computes.

        It travels with each heartbeat, as plain values.
        """
        found = {
            "affnet": __version__,
            "host": platform.node(),
            "site": self._id,
            "packages": self._packages,
            "device": None,
        }
        if device is not None:
            entry = self._entries[device]
            opened = open_device(entry)
            found["device"] = {
                "name": device,
                "kind": entry.kind,
                "address": opened.address(),
                "description": str(entry.settings.get("description", "")),
            }
        return found

    def kind_of_work(self, device: str) -> str:
        """Return what of `affnet.cluster.quiet` measuring on a device is."""
        return ALONE if open_device(self._entries[device]).address() == _HERE else ATTACHED

    @contextmanager
    def device(self, name: str, overrides: Mapping[str, Any]) -> Iterator[Device]:
        """Yield one of the devices, which `interrupt` ends the work on."""
        device = open_device(self._entries[name], **overrides)
        with self.interruptible(device.interrupt):
            yield device

    @contextmanager
    def interruptible(self, end: Callable[[], None]) -> Iterator[None]:
        """Let `interrupt` call ``end`` for as long as the context lasts."""
        key = object()
        with self._lock:
            self._under_way[key] = end
        try:
            yield
        finally:
            with self._lock:
                del self._under_way[key]

    def interrupt(self) -> None:
        """End all that is under way."""
        with self._lock:
            for end in self._under_way.values():
                end()
