"""``affnet export`` of several files: here, or each by a worker of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from affnet.commands.cluster_client import Lab, about_this_client, on_cluster

if TYPE_CHECKING:
    from affnet.export.all_formats import ExportOutcome
    from affnet.export.request import ExportRequest

    #: As `affnet.export.all_formats.export_all`.
    ExportAll = Callable[[Sequence[ExportRequest], Callable[[str], None]], list[ExportOutcome]]


def exporter(context: typer.Context, cluster: str | None, insecure: bool, quiet: bool) -> ExportAll:
    """Return what exports: here, or on a cluster, which is left when the command ends.

    Raises:
        UsageError, UnreachableError, MissingError: as `Lab.check_computes`.
    """
    if cluster is None:
        from affnet.export.all_formats import export_all

        return export_all
    lab = Lab.of(context.with_resource(on_cluster(cluster, insecure)), quiet)
    lab.check_computes()

    def export_there(
        requests: Sequence[ExportRequest], show: Callable[[str], None]
    ) -> list[ExportOutcome]:
        from affnet.export.on_cluster import check_travels, export_on_cluster

        for request in requests:
            check_travels(request)
        return export_on_cluster(lab.client, requests, about_this_client("export"), show)

    return export_there


def show_outcomes(outcomes: Sequence[ExportOutcome], json: bool, quiet: bool) -> int:
    """Remember and print what was exported; return the exit code."""
    from affnet.export.reporting import export as report
    from affnet.project.last_export import remember_exports

    made = [Path(outcome.record["artifact"]) for outcome in outcomes if outcome.record]
    if made:
        remember_exports(made)
    report.print_outcomes(outcomes, json, quiet)
    return 1 if any(outcome.exit_code for outcome in outcomes) else 0
