"""Where the outcome of ``affnet bench mixers`` goes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

from affnet import console
from affnet.bench.mixers import report
from affnet.bench.mixers.grid import Grid
from affnet.bench.reporting import output as bench_output
from affnet.files import write_whole

_SUFFIXES = (".json", ".md", ".csv")


def check_targets(output: Path | None, picture: Path | None) -> None:
    """Raise `UsageError` or `MissingError` unless both can be written: before minutes of measuring.

    None stands for no such file.
    """
    if output is not None:
        bench_output.check_target(output, suffixes=_SUFFIXES)
    if picture is not None:
        bench_output.check_picture(picture)


def emit(grid: Grid, form: str, output: Path | None, picture: Path | None) -> int:
    """Write and show a run; return the exit code, 1 where nothing could be measured.

    ``form`` is one of `affnet.bench.reporting.output.choose`.
    """
    steps: list[Callable[[], None]] = []
    if output is not None:
        steps.append(functools.partial(_write, grid, output))
    if picture is not None and grid.results:
        steps.append(functools.partial(_draw, grid, picture))
    bench_output.deliver(*steps, functools.partial(_show, grid, form))
    return 0 if grid.results else 1


def _write(grid: Grid, path: Path) -> None:
    write_whole(path, _text(grid, path.suffix[1:]))


def _draw(grid: Grid, path: Path) -> None:
    from affnet.bench.mixers import chart  # which needs packages that others do without

    chart.draw(grid, path)


def _show(grid: Grid, form: str) -> None:
    if form == "json":
        console.print_json(grid.record())
    elif form == "markdown":
        console.print_text(_text(grid, "md"))
    elif form == "csv":
        console.print_text(_text(grid, "csv"))
    else:
        for table in report.tables(grid):
            console.print_table(table)
            console.print_line()
        for note in report.notes(grid):
            console.print_line(note)


def _text(grid: Grid, suffix: str) -> str:
    if suffix == "json":
        return json.dumps({"schema": console.SCHEMA, **grid.record()}) + "\n"
    return report.to_markdown(grid) if suffix == "md" else report.to_csv(grid)
