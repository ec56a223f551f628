"""Where results go: the terminal, machine-readable output, and files."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from affnet import console
from affnet.bench.reporting import latency_table, profile_table, stage_table, throttling_table
from affnet.bench.reporting.notes import table_notes
from affnet.bench.results import jsonl
from affnet.bench.results.outcome import DeviceOutcome, exit_code
from affnet.bench.results.placement import shortfalls
from affnet.bench.results.ratios import relate_to_every, relate_to_peer
from affnet.bench.results.result import Result
from affnet.errors import UnknownNameError, UsageError, require
from affnet.files import write_whole
from affnet.table import Table

_PICTURES = (".png", ".svg")
SUFFIXES = (".json", jsonl.SUFFIX, ".md", ".csv")


def choose(*, json: bool, markdown: bool, csv: bool) -> str:
    """Return the one form that was asked for, ``terminal`` if none was.

    Raises:
        UsageError: more than one.
    """
    asked = [
        name for name, given in (("json", json), ("markdown", markdown), ("csv", csv)) if given
    ]
    if len(asked) > 1:
        raise UsageError(
            f"--{' and --'.join(asked)} exclude each other", "use --output for a file."
        )
    return asked[0] if asked else "terminal"


def check_target(
    path: Path, option: str = "--output", suffixes: Sequence[str] | None = SUFFIXES
) -> None:
    """Raise `UsageError` unless ``path`` can be written: before minutes of measuring."""
    if suffixes is not None and path.suffix not in suffixes:
        raise UnknownNameError(f"suffix of {option}", path.suffix, suffixes)
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder", "name a file.")
    if not path.parent.is_dir():
        raise UsageError(f"The folder of {option} {path} does not exist", "make it first.")


def check_picture(path: Path) -> None:
    """Raise `UsageError` or `MissingError` unless ``--plot`` can be drawn and written there."""
    check_target(path, "--plot", _PICTURES)
    for package in ("altair", "vl_convert"):
        require(package, extra="report", purpose="Drawing a chart (--plot)")


def deliver(*steps: Callable[[], None]) -> None:
    """Write files and then show what is in them: no step costs another, whatever it raises.

    Raises:
        AffnetError: the last that failed.
    """
    with ExitStack() as stack:  # which calls all, the last first
        for step in reversed(steps):
            stack.callback(step)


def emit(
    outcomes: Sequence[DeviceOutcome],
    peer: str | Mapping[str, str] | None,
    form: str,
    output: Path | None,
    draw: Callable[[Sequence[Result]], None] = lambda _: None,
    every_peer: Sequence[str] = (),
    placed_percent: float | None = None,
) -> int:
    """Write and show what a sweep brought, report the devices that failed, return the exit code.

    ``draw`` writes a picture of the results; to each of ``every_peer`` there are ratios, too.  Of
    each result that ran less than ``placed_percent`` of its operators where it was asked to, what
    fell back is named, and the exit code is not 0.

    Raises:
        AffnetError: there was one device, and this is how it failed.
    """
    alone = len({outcome.device for outcome in outcomes}) == 1
    if alone and all(o.error and not o.results for o in outcomes):
        assert outcomes[0].error is not None
        raise outcomes[0].error
    failed = [outcome for outcome in outcomes if outcome.error]
    results = [result for outcome in outcomes for result in outcome.results]
    if peer:
        results = relate_to_peer(results, peer, partial=any(o.results for o in failed))
    if every_peer:
        results = relate_to_every(results, every_peer)
    steps: list[Callable[[], None]] = []
    if output is not None and results:
        steps.append(functools.partial(write, results, output, failed))
    steps.append(functools.partial(draw, results))
    steps.append(functools.partial(show, results, form, failed))
    steps += [
        functools.partial(console.error, f"{outcome.device}: {outcome.error}") for outcome in failed
    ]
    missed = [] if placed_percent is None else shortfalls(results, placed_percent)
    steps += [functools.partial(console.error, sentence) for sentence in missed]
    deliver(*steps)
    return exit_code(outcomes) or bool(missed)


def show(results: Sequence[Result], form: str, failed: Sequence[DeviceOutcome] = ()) -> None:
    """Print results on stdout in one of the forms of `choose`."""
    if form == "json":
        console.print_json(record(results, failed))
    elif not results:
        return
    elif form == "markdown":
        console.print_text(_markdown(results))
    elif form == "csv":
        console.print_text(latency_table.table(results).csv())
    else:
        console.print_table(latency_table.table(results))
        for note in table_notes(results):
            console.print_line(note)
        for table in _further_tables(results):
            console.print_line()
            console.print_table(table)


def write(results: Sequence[Result], path: Path, failed: Sequence[DeviceOutcome] = ()) -> None:
    """Write results to a file, in the form that its suffix says; add to it if it is .jsonl."""
    if path.suffix == jsonl.SUFFIX:
        jsonl.append(results, path)
        return
    if path.suffix == ".json":
        text = json.dumps({"schema": console.SCHEMA, **record(results, failed)}) + "\n"
    elif path.suffix == ".md":
        text = _markdown(results)
    else:
        text = latency_table.table(results).csv()
    write_whole(path, text)


def _markdown(results: Sequence[Result]) -> str:
    tables = [table.markdown() for table in _further_tables(results)]
    return "\n".join([latency_table.to_markdown(results), *tables])


def _further_tables(results: Sequence[Result]) -> list[Table]:
    kinds = (stage_table, throttling_table, profile_table)
    return [table for kind in kinds for table in kind.tables(results)]


def record(results: Sequence[Result], failed: Sequence[DeviceOutcome] = ()) -> dict[str, object]:
    """Return the machine-readable form of a run, with the devices that failed if there are any."""
    content: dict[str, object] = {"results": [result.to_json() for result in results]}
    if failed:
        content["failures"] = [
            {
                "device": outcome.device,
                "error": str(outcome.error),
                "exit_code": outcome.error.exit_code,
            }
            for outcome in failed
            if outcome.error
        ]
    return content
