"""``affnet jobs``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.cluster_client import on_cluster
from affnet.commands.options import (
    ClusterOption,
    InsecureOption,
    JsonOption,
    QuietOption,
    StoreOption,
)
from affnet.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from affnet.cluster.run import Run


def jobs(
    run: Annotated[
        str, typer.Argument(help="The run to take up, as the list calls it; default: list all.")
    ] = "",
    cluster: ClusterOption = None,
    insecure: InsecureOption = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Drop the run instead.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write here: .json, .md, .csv; add to .jsonl."),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find work again that a client left to a cluster: wait for it, and show what came of it.

    Example: affnet jobs --cluster tls://lab:8786
    """
    from affnet.cluster.run import PREFIX, Run, runs

    if cluster is None:
        raise UsageError("There is no cluster to ask", "name its scheduler with --cluster.")
    with on_cluster(cluster, insecure) as client:
        found = {name.removeprefix(PREFIX): name for name in runs(client)}
        if not run:
            _list({short: Run.taken_up(client, name) for short, name in found.items()}, json)
            return
        if run not in found:
            raise UnknownNameError("run", run, found or ["none"])
        taken = Run.taken_up(client, found[run])
        if cancel:
            taken.forget()
            return
        command = taken.about["command"]
        if command == "export":
            code = _finish_export(taken, json, quiet)
        elif command.split()[0] == "bench":
            code = _finish(taken, output, store, json, quiet)
        else:
            raise UsageError(
                f"The run {run} is of affnet {command}, which is not taken up",
                "drop it with --cancel, and run the command again.",
            )
        raise typer.Exit(code)


def _list(found: dict[str, Run], json: bool) -> None:
    from affnet.table import Table, numbers, texts

    records = [
        {
            "run": short,
            "command": run.about["command"],
            "by": f"{run.about['user']}@{run.about['host']}",
            "since": run.about["since"],
            "ended": run.ended(),
            "jobs": len(run.jobs),
        }
        for short, run in found.items()
    ]
    if json:
        console.print_json({"runs": records})
        return
    header = [*texts("run", "command", "by", "since"), *numbers("ended", "jobs")]
    console.print_table(Table(header, [[str(v) for v in record.values()] for record in records]))


def _finish(run: Run, output: Path | None, store: str | None, json: bool, quiet: bool) -> int:
    """Wait for the rest of a run of ``affnet bench``, and show all of it."""
    from affnet.bench.measurement.on_cluster import take_outcomes
    from affnet.bench.reporting import output as bench_output
    from affnet.bench.results.ratios import relate_to_peer
    from affnet.bench.store.recorder import open_recorder

    form = bench_output.choose(json=json, markdown=False, csv=False)
    if output is not None:
        bench_output.check_target(output)
    lines = list(dict.fromkeys(job.label for job in run.jobs))
    with (
        console.progress(quiet, animated=False, lines=lines) as show,
        open_recorder(store) as recorder,
    ):
        recorder.peer = peer = run.about["peer"]
        found = take_outcomes(run, show, recorder.keep)
        recorder.keep_failures([outcome for entries in found.values() for _, outcome in entries])
    outcomes = [
        replace(
            outcome,
            results=relate_to_peer(outcome.results, peer, partial=True)
            if peer
            else outcome.results,
        )
        for entries in found.values()
        for _, outcome in entries
    ]
    return bench_output.emit(outcomes, None, form, output) or recorder.exit_code


def _finish_export(run: Run, json: bool, quiet: bool) -> int:
    """Wait for the rest of a run of ``affnet export``, and write what it made."""
    from affnet.commands.export_cluster import show_outcomes
    from affnet.export.on_cluster import take_exports

    with console.progress(quiet) as show:
        outcomes = take_exports(run, show)
    return show_outcomes(outcomes, json, quiet)
