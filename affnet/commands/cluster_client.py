"""A command as a client of a cluster: it comes, and may leave before its work has ended."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from affnet import console

if TYPE_CHECKING:
    from distributed import Client

    from affnet.cluster.lab import LabDevice, Offer


@contextmanager
def on_cluster(address: str, insecure: bool, *, resumable: bool = True) -> Iterator[Client]:
    """Connect to a scheduler; where the command is interrupted, say what becomes of its work.

    What is not ``resumable`` is dropped by whoever sent it.

    Raises:
        UsageError: it is no address, or one that anybody could reach.
        UnreachableError: it does not answer.
        MissingError: Dask is not installed.
    """
    from affnet.cluster.connection import check_address, connected

    with connected(check_address(address, insecure=insecure)) as client:
        try:
            yield client
        except SystemExit as interrupted:
            if resumable and isinstance(interrupted.code, int) and interrupted.code > 128:
                console.note(f"What was sent goes on; see: affnet jobs --cluster {address}")
            raise


@dataclass(frozen=True)
class Lab:
    """A cluster, and what it offered when the command began."""

    client: Client
    offers: Sequence[Offer]
    quiet: bool

    @classmethod
    def of(cls, client: Client, quiet: bool) -> Lab:
        """Ask a scheduler what its workers offer."""
        from affnet.cluster.lab import offers

        return cls(client, offers(client), quiet)

    def devices(self, names: str) -> list[LabDevice]:
        """Return the devices of a list such as ``pixel-8,rpi``; say where versions differ.

        Raises:
            UsageError, UnreachableError, MissingError: as `affnet.cluster.lab.lab_devices`.
        """
        from affnet.cluster.lab import lab_devices

        found = lab_devices(self.offers, names)
        chosen = {device.name for device in found}
        # a phone has runtimes of its own
        self._say_differences(lambda offer: offer.device in chosen and offer.kind == "host")
        return found

    def check_computes(self) -> None:
        """Refuse a cluster where nothing computes; say where versions differ.

        Raises:
            UnreachableError, MissingError: as `affnet.cluster.lab.check_offers`.
        """
        from affnet.cluster.lab import check_offers

        check_offers(self.offers, (), computes=True)
        self._say_differences(lambda offer: offer.device is None)

    def _say_differences(self, used: Callable[[Offer], bool]) -> None:
        from affnet.cluster.lab import differences
        from affnet.export.artifact_cache import tool_versions

        for sentence in differences(self.offers, tool_versions(), used):
            console.note(sentence, self.quiet)


def about_this_client(command: str, **more: Any) -> dict[str, Any]:
    """Describe a run for ``affnet jobs``."""
    return {
        "command": command,
        "user": getpass.getuser(),
        "host": platform.node(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        **more,
    }
