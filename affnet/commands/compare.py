"""``affnet compare``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.options import (
    JsonOption,
    QuietOption,
    StoreOption,
    is_on_command_line,
)
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.bench.budgets.budget_file import Budget
    from affnet.bench.store.comparison import Comparison

#: How many runs of a kind are shown where --last does not say it.
_RUNS_OF_HISTORY = 20

#: Whole names, which may have commas: those of measured files are free.
OnlyThese = Annotated[list[str] | None, typer.Option(help="Only this one; repeatable.")]


def compare(
    context: typer.Context,
    results: Annotated[
        list[Path] | None, typer.Argument(help="Files that bench wrote (.json, .jsonl).")
    ] = None,
    store: StoreOption = None,
    model: OnlyThese = None,
    device: OnlyThese = None,
    against: Annotated[
        str | None, typer.Option(help="A peer to divide by, where measured in the same turns.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(
            min=0, help="The newest so many of each model; 0: all. Of a store: 1, with --html 20."
        ),
    ] = None,
    history: Annotated[
        str | None, typer.Option(metavar="MODEL", help="One model's latency over commits.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Also add the files' results to the store.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write here: .json, .md, .csv; add to .jsonl."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write a report with charts here: .html.")
    ] = None,
    budgets: Annotated[
        Path | None, typer.Option(help="Draw these budgets into the report's histories.")
    ] = None,
    json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Compare results of before: of files, or of the store; nothing is measured.

    Example: affnet compare --store results.db --history affnet_et --against mobilevit_xxs
    """
    from affnet.bench.reporting import comparison as compare_report
    from affnet.bench.reporting import output as bench_output
    from affnet.bench.results import reading
    from affnet.bench.store import comparison as comparing
    from affnet.bench.store.database import Query, Store

    form = bench_output.choose(json=json, markdown=markdown, csv=csv)
    if output is not None:
        bench_output.check_target(output)
    explicit = is_on_command_line(context, "store")
    _check_sources(results, store, record=record, explicit=explicit)
    if history and model:
        raise UsageError("--history names its model; leave --model out.")
    limits = _check_report(html, budgets)
    if last is None:
        last = 0 if results and not history else _RUNS_OF_HISTORY if history or html else 1
    models = (history,) if history else (*(model or ()), *([against] if model and against else ()))
    query = Query(tuple(dict.fromkeys(models)), tuple(device or ()), last)
    where = ", ".join(map(str, results or ()))
    if results:
        found = [result for path in results for result in reading.read_results(path)]
        if record and store:
            with Store(store) as kept:
                new = kept.add(found)
            console.note(f"{new} of {len(found)} results were new to the store {store}.", quiet)
    with Store() if results else Store(str(store), create=False) as opened:
        if results:
            opened.add(found)
        comparison = comparing.compare(opened, query, against, where or f"Store {opened.name}")
    steps = [functools.partial(compare_report.show, comparison, form, history=bool(history))]
    if html is not None:
        steps.insert(
            0, functools.partial(_write_report, comparison, bool(history), limits, html, quiet)
        )
    if output is not None:
        writing = functools.partial(compare_report.write, comparison, output, history=bool(history))
        steps.insert(0, writing)
    bench_output.deliver(*steps)


def _write_report(
    comparison: Comparison, history: bool, limits: tuple[Budget, ...], path: Path, quiet: bool
) -> None:
    from affnet.bench.html_report import ReportData, write_report

    with console.progress(quiet) as progress:
        write_report(ReportData(comparison, history, limits), path, progress)


def _check_report(html: Path | None, budgets: Path | None) -> tuple[Budget, ...]:
    """Return the budgets that a report draws; refuse what it could not do in the end."""
    if html is None:
        if budgets is not None:
            raise UsageError("--budgets are drawn into a report; name its file with --html.")
        return ()
    from affnet.bench.budgets.budget_file import read_budgets
    from affnet.bench.html_report import check_installed
    from affnet.bench.reporting import output

    output.check_target(html, "--html", (".html",))
    check_installed()
    return read_budgets(budgets).budgets if budgets else ()


def _check_sources(
    results: list[Path] | None, store: str | None, *, record: bool, explicit: bool
) -> None:
    """Raise `UsageError` unless it is clear where results come from, and go to."""
    if not results and not store:
        raise UsageError("Name files with results, or a store with --store.")
    if record and not (results and store):
        raise UsageError("--record adds files to a store; name files, and the store with --store.")
    if results and explicit and not record:
        raise UsageError("Name files or --store, not both; --record adds files to the store.")
