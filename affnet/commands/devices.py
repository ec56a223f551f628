"""``affnet devices``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affnet import console
from affnet.commands.options import (
    ClusterOption,
    DevicesFileOption,
    InsecureOption,
    JsonOption,
    StoreOption,
)
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.devices.base import Check

app = typer.Typer(help="Show which devices are configured and reachable.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def _devices(
    context: typer.Context,
    devices_file: DevicesFileOption = None,
    cluster: ClusterOption = None,
    insecure: InsecureOption = False,
    json: JsonOption = False,
) -> None:
    """Show which devices are configured and reachable.

    Example: affnet devices
    What is missing on one of them: affnet devices doctor rpi
    """
    if context.invoked_subcommand is None:
        list_devices(devices_file, cluster, insecure, json)
    given = {"devices_file": devices_file, "json": json}
    defaults = {name: value for name, value in given.items() if value}
    lab = {
        name: value for name, value in {"cluster": cluster, "insecure": insecure}.items() if value
    }
    # what stands before them
    context.default_map = {
        "list": defaults | lab,
        "doctor": defaults,
        "history": {"json": json} if json else {},
    }


@app.command("list")
def list_devices(
    devices_file: DevicesFileOption = None,
    cluster: ClusterOption = None,
    insecure: InsecureOption = False,
    json: JsonOption = False,
) -> None:
    """Show which devices are configured and reachable, or those of a cluster.

    Example: affnet devices list --json
    Of a cluster: affnet devices --cluster tls://lab:8786
    """
    if cluster is not None:
        _list_lab(cluster, insecure, json)
        return
    from affnet.devices.catalog import load_catalog
    from affnet.devices.doctor import probe_all, table

    with console.progress(json) as show:
        show("Looking for devices")
        seen = probe_all(load_catalog(devices_file).values())
    if json:
        console.print_json({"devices": [sight.record() for sight in seen]})
    else:
        console.print_table(table(seen))


def _list_lab(cluster: str, insecure: bool, json: bool) -> None:
    from affnet.commands.cluster_client import on_cluster

    with on_cluster(cluster, insecure) as client:
        from affnet.cluster.lab import offers, table

        found = offers(client)
    if json:
        console.print_json({"devices": [offer.record() for offer in found]})
    else:
        console.print_table(table(found))


@app.command()
def doctor(
    name: Annotated[str, typer.Argument(help="A device of the catalog, or user@host.")],
    devices_file: DevicesFileOption = None,
    json: JsonOption = False,
) -> None:
    """Say step by step what works on a device and what is missing; exit code 3 if anything is.

    Example: affnet devices doctor rpi
    """
    from affnet.devices.catalog import find, load_catalog
    from affnet.devices.doctor import diagnose

    entry = find(name, load_catalog(devices_file))
    report(diagnose(entry), {"device": name, "kind": entry.kind}, json)


@app.command()
def history(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[DEVICE]...", help="Day by day; default: all.")
    ] = None,
    store: StoreOption = None,
    last: Annotated[int, typer.Option(min=1, help="Newest results of each device.")] = 200,
    json: JsonOption = False,
) -> None:
    """Show how devices fared: failures, throttling, and how much their numbers vary.

    Example: affnet devices history --store results.db
    Day by day: affnet devices history pixel-8 --store results.db
    """
    from affnet.bench.reporting.health_table import reasons, table
    from affnet.bench.store import health
    from affnet.bench.store.database import Store

    if store is None:
        raise UsageError("No store is named", "add --store, a SQLite file or a URL.")
    with Store(store, create=False) as opened:
        found = health.history(opened, names or [], last)
    if json:
        record = [{**one.total.to_json(), "days": _of_days(one.days)} for one in found]
        console.print_json({"devices": record})
        return
    if names:
        for one in found:
            console.print_line(one.total.device)
            console.print_table(table(one.days, "day"))
    else:
        console.print_table(table({one.total.device: one.total for one in found}, "device"))
    for line in reasons([one.total for one in found]):
        console.print_line(line)


def _of_days(days: Mapping[str, Any]) -> dict[str, Any]:
    return {day: health.to_json() for day, health in days.items()}


def report(checks: Iterable[Check], record: Mapping[str, Any], json: bool) -> None:
    """Print each step as it ends, or all as JSON; exit code 3 if one that is needed failed."""
    from affnet.devices.doctor import check_lines, check_record

    done = []
    for check in checks:
        done.append(check)
        if not json:
            for line in check_lines(check):
                console.print_line(line)
    passed = all(check.passed or not check.needed for check in done)
    if json:
        console.print_json({**record, "ok": passed, "steps": list(map(check_record, done))})
    if not passed:
        raise typer.Exit(3)
