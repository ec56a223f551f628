"""``affnet worker``: a Dask worker for each device of this host, and one for work that computes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from affnet.cluster.connection import own_host, security, silence, translating_errors
from affnet.cluster.site import Site
from affnet.cluster.tasks import PLUGIN
from affnet.devices.base import Progress
from affnet.devices.device_lock import locked_device
from affnet.files import scratch_folder

if TYPE_CHECKING:
    from distributed import Worker

_HEARTBEAT = "2s"
_PATIENCE_S = 10.0  # to reach a scheduler
_RETRY_S = 3.0  # between tries to reach a scheduler that has gone
_GRACE_S = 15.0  # for measurements to clean up


def resource_of(device: str | None) -> str:
    """Return the Dask resource that the worker of a device has, or one that computes."""
    return "compute" if device is None else f"device {device}"


def serve(address: str, site: Site, devices: Sequence[str], slots: int, show: Progress) -> None:
    """Serve the scheduler at ``address`` until this process is interrupted.

    A scheduler that goes away is waited for.

    Raises:
        UnreachableError: it does not answer at the start.
        AffnetError: as `affnet.devices.device_lock.locked_device`.
    """
    silence()
    # two workers of one host would not know of each other's measurements
    with (
        locked_device("affnet worker", "the worker of this host", show),
        scratch_folder() as folder,
    ):
        asyncio.run(_serve(address, site, devices, slots, show, str(folder)))


async def _serve(
    address: str, site: Site, devices: Sequence[str], slots: int, show: Progress, folder: str
) -> None:
    reached = False
    while True:
        workers = _workers(address, site, devices, slots, folder)
        try:
            with translating_errors(address):
                await asyncio.gather(*workers)
            reached = True
            show(f"Serving {address} with {', '.join(devices) or 'no devices'}; Ctrl-C ends it")
            await asyncio.gather(*(worker.finished() for worker in workers))
        except Exception:
            if not reached:
                raise
        finally:
            site.interrupt()
            await _close(workers)
        show(f"The scheduler {address} has gone; trying again")
        await asyncio.sleep(_RETRY_S)


async def _close(workers: Sequence[Worker]) -> None:
    with contextlib.suppress(Exception):  # they are gone, or their scheduler is
        await asyncio.gather(*(worker.close(timeout=_GRACE_S) for worker in workers))


def _workers(
    address: str, site: Site, devices: Sequence[str], slots: int, folder: str
) -> list[Worker]:
    found = [_worker(address, site, device, 1, folder) for device in devices]
    return [*found, _worker(address, site, None, slots, folder)] if slots else found


def _worker(address: str, site: Site, device: str | None, amount: int, folder: str) -> Worker:
    from distributed import Worker, WorkerPlugin

    class Plugin(WorkerPlugin):
        """Hands the host to the tasks."""

        name = PLUGIN

        def __init__(self) -> None:
            self.site = site

    def announce(_: Any) -> dict[str, Any]:
        return site.announcement(device)

    return Worker(
        address,
        nthreads=amount,
        resources={resource_of(device): amount},
        name=f"{platform.node()}-{os.getpid()} {resource_of(device)}",
        security=security(),
        host=own_host(address),
        metrics={"affnet": announce},
        plugins=(Plugin(),),
        heartbeat_interval=_HEARTBEAT,
        death_timeout=_PATIENCE_S,
        local_directory=folder,
        memory_limit=0,
        dashboard=False,
        dashboard_address="127.0.0.1:0",  # it has a server for its health in any case
    )
