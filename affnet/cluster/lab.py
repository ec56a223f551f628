"""What the workers of a scheduler offer, by their own account: no code runs there for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affnet import __version__
from affnet.devices.base import Capabilities
from affnet.devices.registry import device_class
from affnet.errors import MissingError, UnknownNameError, UnreachableError, UsageError
from affnet.names import split_names
from affnet.table import Table, texts

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Offer:
    """One worker: of a device, or, where that is None, one that computes."""

    worker: str  # its address
    host: str
    site: str  # the same for all workers of a host
    version: str  # of affnet
    packages: Mapping[str, str | None]  # that decide what files give, by version
    device: str | None
    kind: str = ""
    address: str = ""  # of the device
    description: str = ""
    slots: int = 1  # jobs at once
    busy: str = ""  # with what, as its client calls it

    def record(self) -> dict[str, Any]:
        """Return the machine-readable form."""
        return {
            "device": self.device,
            "kind": self.kind or "computes",
            "host": self.host,
            "address": self.address,
            "description": self.description,
            "affnet": self.version,
            "packages": dict(self.packages),
            "busy": self.busy or None,
        }


@dataclass(frozen=True)
class LabDevice:
    """A device of a cluster, as far as planning needs it; see `affnet.devices.base.Device`."""

    offer: Offer

    @property
    def name(self) -> str:
        """What its worker calls it."""
        return str(self.offer.device)

    @property
    def capabilities(self) -> Capabilities:
        """What its kind can run."""
        found: Capabilities = device_class(self.offer.kind).capabilities
        return found

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`: what is installed shows when it is measured."""
        if runtime not in self.capabilities.runtimes:
            raise UsageError(
                f"{self.name} does not run {runtime}",
                f"choose another runtime: {', '.join(self.capabilities.runtimes)}.",
            )


def lab_devices(found: Sequence[Offer], names: str) -> list[LabDevice]:
    """Return the devices of a list such as ``pixel-8,rpi``.

    Raises:
        UsageError, UnreachableError, MissingError: as `check_offers`, or no name at all.
    """
    listed = split_names(names)
    if not listed:
        raise UsageError("--device names no device", "see: affnet devices --cluster ADDRESS")
    check_offers(found, listed, computes=False)
    first = {offer.device: offer for offer in reversed(found)}
    return [LabDevice(first[name]) for name in listed]


def offers(client: Client) -> list[Offer]:
    """Return what is there now, by device and host."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    running = client.processing()
    found = []
    for address, worker in workers.items():
        said = worker.get("metrics", {}).get("affnet")
        if not said:  # a worker that Dask itself started
            continue
        device = said["device"] or {}
        found.append(
            Offer(
                worker=address,
                host=said["host"],
                site=said["site"],
                version=said["affnet"],
                packages=said["packages"],
                device=device.get("name"),
                kind=device.get("kind", ""),
                address=device.get("address", ""),
                description=device.get("description", ""),
                slots=worker["nthreads"],
                busy=f"{len(running[address])} jobs" if running.get(address) else "",
            )
        )
    return sorted(found, key=lambda offer: (offer.device is None, offer.device or "", offer.host))


def check_offers(found: Sequence[Offer], devices: Iterable[str], *, computes: bool) -> None:
    """Find out whether a lab has what some jobs need, before any of them is sent.

    Raises:
        UnknownNameError: a device that no worker has.
        UnreachableError: no worker is there, or none that computes.
        MissingError: another version of affnet is on one of those that would be used.
    """
    if not found:
        raise UnreachableError(
            "The cluster has no workers", "start one: affnet worker --cluster ADDRESS --device NAME"
        )
    names = dict.fromkeys(offer.device for offer in found if offer.device)
    wanted = set(devices)
    for name in sorted(wanted):
        if name not in names:
            raise UnknownNameError("device of the cluster", name, names or ["none"])
    if computes and all(offer.device for offer in found):
        raise UnreachableError(
            "No worker of the cluster computes", "start one without --slots 0: affnet worker"
        )
    for offer in found:
        used = offer.device in wanted if offer.device else computes
        if used and offer.version != __version__:
            raise MissingError(
                f"{offer.host} has affnet {offer.version}, and this machine {__version__}",
                f"install the same on both: pip install affnet=={__version__}",
            )


def differences(
    found: Sequence[Offer], packages: Mapping[str, str | None], used: Callable[[Offer], bool]
) -> list[str]:
    """Say which of the hosts that are used have packages of other versions than this machine."""
    sentences = []
    for offer in {offer.site: offer for offer in found if used(offer)}.values():
        others = [
            f"{name} {offer.packages.get(name) or 'missing'} (here {version or 'missing'})"
            for name, version in packages.items()
            if offer.packages.get(name) != version
        ]
        if others:
            sentences.append(
                f"{offer.host} has other versions than this machine: {', '.join(others)}."
            )
    return sentences


def table(found: Sequence[Offer]) -> Table:
    """Return one row for each device, and for each host that computes."""
    rows = [
        (
            offer.device or "(computes)",
            offer.kind or "-",
            offer.host,
            offer.version,
            offer.busy or "idle",
            offer.description or offer.address,
        )
        for offer in found
    ]
    return Table(texts("device", "kind", "host", "affnet", "state", "detail"), rows)
