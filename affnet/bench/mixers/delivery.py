"""Where the outcome of ``affnet bench mixers`` goes."""

from __future__ import annotations

import json
from pathlib import Path

from affnet import console
from affnet.bench.mixers import plot, report
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
        bench_output.check_target(picture, "--plot", plot.SUFFIXES)
        plot.check_installed()


def emit(grid: Grid, form: str, output: Path | None, picture: Path | None) -> int:
    """Show and write a run; return the exit code, 1 where nothing could be measured.

    ``form`` is one of `affnet.bench.reporting.output.choose`.
    """
    _show(grid, form)  # first: a full disk must not cost the measurement
    if output is not None:
        write_whole(output, _text(grid, output.suffix[1:]))
    if picture is not None and grid.results:
        plot.draw(grid, picture)
    return 0 if grid.results else 1


def _show(grid: Grid, form: str) -> None:
    if form == "json":
        console.print_json(grid.record())
    elif form == "markdown":
        print(_text(grid, "md"), end="")
    elif form == "csv":
        print(_text(grid, "csv"), end="")
    else:
        for section in report.sections(grid):
            print(f"{section.title}:")
            console.print_table(report.to_rich(section))
            print()
        for note in report.notes(grid):
            print(note)


def _text(grid: Grid, suffix: str) -> str:
    if suffix == "json":
        return json.dumps({"schema": console.SCHEMA, **grid.record()}) + "\n"
    return report.to_markdown(grid) if suffix == "md" else report.to_csv(grid)
