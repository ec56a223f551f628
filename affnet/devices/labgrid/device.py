"""Boards that labgrid lends: a place is acquired, measured on over ssh, and given back.

The coordinator says who has which place, so that everybody of a lab, whatever they do there, keeps
out of a measurement's way.  All else is as with a board of the kind ``ssh``.
"""

from __future__ import annotations

import dataclasses
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from affnet.artifact import Artifact
from affnet.devices import accelerators
from affnet.devices.base import (
    Capabilities,
    Check,
    Progress,
    Settings,
)
from affnet.devices.device_lock import locked_device
from affnet.devices.labgrid.place import Place
from affnet.devices.ssh.device import BoardSettings, SshDevice, SshSettings
from affnet.devices.worker.channel import RemoteProcess
from affnet.errors import AffnetError, MeasurementError, MissingError

_SERVICE = "NetworkService"
# others fill it in: nothing that a configuration of ssh could hand to a shell
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:%-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")


@dataclass(frozen=True, kw_only=True)
class LabgridSettings(BoardSettings):
    """Which place, and what of its board the place itself does not say."""

    place: str
    coordinator: str | None = None  # HOST:PORT; as labgrid-client finds it
    resource: str | None = None  # the name of one NetworkService of several
    wait_s: float = 600.0  # for a place that is another's


class LabgridDevice:
    """Measures on the board of a place."""

    kind: ClassVar = "labgrid"
    capabilities: ClassVar[Capabilities] = SshDevice.capabilities
    settings_type: ClassVar[type[Settings]] = LabgridSettings

    def __init__(self, name: str, settings: LabgridSettings) -> None:
        accelerators.check_name(name, settings.accelerator, self.capabilities)
        self.name = name
        self.settings = settings
        self._place = Place(settings.place, settings.coordinator)
        self._inner: SshDevice | None = None
        self._interrupted = threading.Event()

    def address(self) -> str:
        """See `Device.address`: which board it is shows when the place is acquired."""
        coordinator = self.settings.coordinator or os.environ.get("LG_COORDINATOR", "")
        return f"labgrid {coordinator} {self.settings.place}"

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`."""
        self._over_ssh(self.settings.place, {}).check_runtime(runtime)

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """See `Device.plan`."""
        settings = self.settings
        board = self._over_ssh(f"its {_SERVICE}", {})
        return [
            f"Wait up to {settings.wait_s:g} s for labgrid's place {settings.place}, "
            "and acquire it",
            *board.plan(files, runtime, threads),
            f"Release the place {settings.place} at the end",
        ]

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`."""
        self.check_runtime(runtime)
        with (
            self._acquired(self.settings.wait_s, progress) as inner,
            # another entry may mean the same board without labgrid
            locked_device(inner.address(), self.name, progress, self._check),
            inner.session(runtime, progress),
        ):
            self._check()
            yield

    @contextmanager
    def _acquired(self, wait_s: float, progress: Progress) -> Iterator[SshDevice]:
        """Hold the place and yield its board."""
        progress(f"Acquiring place {self.settings.place}")
        with self._place.held(wait_s, progress, self._end_measuring) as resources:
            try:
                self._inner = self._board(self._service(resources))
                yield self._inner
            finally:
                self._inner = None

    def _service(self, resources: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the resource by which one logs in."""
        settings = self.settings
        found = [one for one in resources if one["cls"] == _SERVICE]
        named = [one for one in found if settings.resource in (None, one["name"])]
        if len(named) != 1:
            there = ", ".join(f"{one['cls']} {one['name']}" for one in resources) or "none"
            raise MissingError(
                f"Place {settings.place} has {len(named) or 'no'} {_SERVICE} "
                + (f"called {settings.resource}" if settings.resource else "to log in to")
                + f"; its resources now: {there}",
                "set resource in devices.toml to the name of one."
                if found
                else f"export a {_SERVICE} with the board's address and user name to it.",
            )
        return named[0]

    def _board(self, service: dict[str, Any]) -> SshDevice:
        """Return the board of a resource.

        Raises:
            MissingError: there is no logging in to it from here.
        """
        settings = self.settings
        address, user = str(service.get("address", "")), str(service.get("username", "_"))
        if not _ADDRESS.fullmatch(address) or not _USER.fullmatch(user):
            raise MissingError(
                f"Place {settings.place} says of its board the user {user!r} and the address "
                f"{address!r}, which is no login",
                f"correct its {_SERVICE} where it is exported.",
            )
        if service.get("extra", {}).get("proxy_required"):
            raise MissingError(
                f"The board of place {settings.place} has the address {address}, which only its "
                "exporter reaches",
                "export an address that this machine reaches, if need be by a ProxyJump in "
                "~/.ssh/config.",
            )
        return self._over_ssh(address, service)

    def _over_ssh(self, host: str, service: dict[str, Any]) -> SshDevice:
        """Return the board at an address; what the entry sets goes before what the place says."""
        names = [field.name for field in dataclasses.fields(BoardSettings)]
        shared = {name: getattr(self.settings, name) for name in names}
        for setting, parameter in {"user": "username", "port": "port"}.items():
            if shared[setting] is None:
                shared[setting] = service.get(parameter)
        return SshDevice(self.name, SshSettings(host=host, **shared))

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`."""
        return {**self._open.fingerprint(), "kind": self.kind, "place": self.settings.place}

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`."""
        return self._open.conditions()

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[RemoteProcess]:
        """See `Device.start`."""
        with self._open.start(artifact, runtime, threads) as process:
            yield process

    def interrupt(self) -> None:
        """See `Device.interrupt`."""
        self._interrupted.set()
        if self._inner is None:
            self._place.stop_waiting()
        self._end_measuring()

    def checks(self) -> Iterator[Check]:
        """See `Device.checks`: the place is acquired for all but the first."""
        step = "reachable"
        try:
            yield Check("reachable", True, self._place.state())
            step = "place"
            with self._acquired(0, lambda _: None) as inner:
                yield Check("place", True, f"{self.settings.place} was acquired, and is released")
                yield from inner.checks()
        except AffnetError as error:
            yield Check.failed(step, error)

    def _end_measuring(self) -> None:
        if (inner := self._inner) is not None:
            inner.interrupt()

    def _check(self) -> None:
        """Raise where the place was taken away, or a thread that waits is to stop."""
        self._place.check()
        if self._interrupted.is_set():
            raise MeasurementError(f"Measuring on {self.name} was stopped.")

    @property
    def _open(self) -> SshDevice:
        if self._inner is None:
            raise RuntimeError("a place is measured on within a session")
        return self._inner
