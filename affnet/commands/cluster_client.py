"""A command as a client of a cluster: it comes, and may leave before its work has ended."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from affnet import console

if TYPE_CHECKING:
    from distributed import Client


@contextmanager
def on_cluster(address: str, insecure: bool) -> Iterator[Client]:
    """Connect to a scheduler; where the command is interrupted, say what becomes of its work.

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
            if isinstance(interrupted.code, int) and interrupted.code > 128:
                console.note(f"What was sent goes on; see: affnet jobs --cluster {address}")
            raise


def about_this_client(command: str, **more: Any) -> dict[str, Any]:
    """Describe a run for ``affnet jobs``."""
    return {
        "command": command,
        "user": getpass.getuser(),
        "host": platform.node(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        **more,
    }
