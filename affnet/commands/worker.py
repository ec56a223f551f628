"""``affnet worker``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from affnet import console
from affnet.commands.options import ClusterOption, DevicesFileOption, InsecureOption
from affnet.errors import UsageError
from affnet.names import split_names


def worker(
    cluster: ClusterOption = None,
    insecure: InsecureOption = False,
    device: Annotated[
        str, typer.Option(help="What this machine reaches: pixel-8,rpi.", rich_help_panel="Device")
    ] = "",
    devices_file: DevicesFileOption = None,
    slots: Annotated[
        int | None,
        typer.Option(
            min=0, help="Exports and evaluations at once, 0 for none; default: one for each core."
        ),
    ] = None,
) -> None:
    """Serve this machine and the devices on it to a cluster, one job at a time on each.

    Nothing else of the cluster runs here while this machine itself is measured, and no export or
    evaluation while anything is.

    Example: affnet worker --cluster tls://lab:8786 --device pixel-8,rpi
    """
    from affnet.cluster.connection import check_address

    if cluster is None:
        raise UsageError("There is no cluster to serve", "name its scheduler with --cluster.")
    address = check_address(cluster, insecure=insecure)
    from affnet.cluster.site import Site
    from affnet.cluster.worker import serve
    from affnet.devices.catalog import find, load_catalog
    from affnet.export.artifact_cache import tool_versions

    catalog = load_catalog(devices_file)
    names = split_names(device)
    if not names and slots == 0:
        raise UsageError("A worker without devices and slots does nothing", "drop --slots 0.")
    site = Site([find(name, catalog) for name in names], tool_versions())
    slots = (os.cpu_count() or 1) if slots is None else slots
    with console.progress(False, animated=False) as show:
        serve(address, site, names, slots, show)
