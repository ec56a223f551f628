"""Where ``affnet bench`` and its kin measure: on what hangs on this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from affnet.commands.cluster_client import Lab, about_this_client, on_cluster
from affnet.errors import UsageError

if TYPE_CHECKING:
    from distributed import Client

    from affnet.bench.measurement.batches import Batch
    from affnet.bench.measurement.interleaved import Job
    from affnet.bench.measurement.protocol import Protocol
    from affnet.bench.measurement.runtimes import Place, RuntimePlan
    from affnet.bench.results.outcome import DeviceOutcome
    from affnet.bench.store.recorder import Recorder
    from affnet.cluster.lab import LabDevice
    from affnet.devices.base import Device, Progress


@dataclass(frozen=True)
class Places:
    """The devices of a command: of this machine, or of the cluster that ``client`` is one of."""

    settings: Mapping[str, Any]  # of kinds of devices, for this run
    attached: Sequence[Device] = ()
    lab: Sequence[LabDevice] = ()
    client: Client | None = None

    @property
    def devices(self) -> Sequence[Place]:
        """All of them."""
        return self.attached if self.client is None else self.lab

    def names(self) -> list[str]:
        """Return what they are called."""
        return [device.name for device in self.devices]

    def only(self, what: str) -> Place:
        """Return the only device; ``what`` is measured on one.

        Raises:
            UsageError: there are several.
        """
        place, *more = self.devices
        if more:
            raise UsageError(f"{what} on one device at a time", "name one with --device.")
        return place

    def measure(
        self,
        jobs: Mapping[str, Sequence[Job]],
        plan: RuntimePlan,
        protocol: Protocol,
        *,
        threads: int,
        profile: bool,
        progress: Progress,
        recorder: Recorder,
    ) -> list[DeviceOutcome]:
        """See `affnet.bench.measurement.runtimes.measure_runtimes`."""
        how: dict[str, Any] = {"threads": threads, "profile": profile}
        follow: dict[str, Any] = {"progress": progress, "keep": recorder.keep}
        if self.client is None:
            from affnet.bench.measurement.runtimes import measure_runtimes

            return measure_runtimes(jobs, self.attached, plan, protocol, **how, **follow)
        from affnet.bench.measurement.on_cluster import cluster_jobs, measure_on_cluster

        sent = cluster_jobs(jobs, self.lab, plan, protocol, **how, overrides=self.settings)
        about = about_this_client("bench", peer=recorder.peer)
        return measure_on_cluster(self.client, sent, plan, about, **follow)

    def measure_batches(
        self,
        batches: Iterable[Batch],
        protocol: Protocol,
        command: str,
        *,
        threads: int,
        progress: Progress,
        recorder: Recorder,
    ) -> Iterator[DeviceOutcome]:
        """Measure on the only device; see `affnet.bench.measurement.batches.MeasureBatches`."""
        follow: dict[str, Any] = {"progress": progress, "keep": recorder.keep}
        if self.client is None:
            from affnet.bench.measurement.batches import measure_batches

            return measure_batches(batches, self.attached[0], protocol, threads=threads, **follow)
        from affnet.bench.measurement.on_cluster import measure_batches_on_cluster

        about = about_this_client(command, peer=recorder.peer)
        return measure_batches_on_cluster(
            self.client, batches, self.lab[0], protocol, about, threads=threads, **follow
        )


def open_places(
    context: typer.Context,
    names: str,
    devices_file: Path | None,
    settings: Mapping[str, Any],
    cluster: str | None,
    insecure: bool,
    dry_run: bool,
    quiet: bool,
) -> Places:
    """Return the devices of a list such as ``host,rpi``; those of a cluster where one is named.

    The cluster is left when the command ends.

    Raises:
        UsageError: a name that is none, or options that are not for a cluster.
        UnreachableError: the cluster does not answer.
    """
    if cluster is None:
        from affnet.devices.catalog import open_devices

        return Places(settings, attached=open_devices(names, devices_file, **settings))
    if dry_run:
        raise UsageError("--dry-run is for devices of this machine", "drop it, or --cluster.")
    if settings.get("runner") is not None:
        raise UsageError(
            "--runner-dir is a folder of this machine", "set runner in the catalog of the worker."
        )
    lab = Lab.of(context.with_resource(on_cluster(cluster, insecure)), quiet)
    return Places(settings, lab=lab.devices(names), client=lab.client)
