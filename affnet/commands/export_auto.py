"""``affnet export --precision auto``: the timing that ``export`` cannot import, and its table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from affnet import console
from affnet.errors import AccuracyError, MissingError

if TYPE_CHECKING:
    from affnet.export.autotuning.plan_timing import Timer
    from affnet.export.autotuning.precision_search import Choice
    from affnet.export.request import ExportOptions
    from affnet.model.source import Source


def choose(
    source: Source, options: ExportOptions, device: str, output: Path, show: Callable[[str], None]
) -> tuple[Choice, str | None]:
    """Try all precisions; also return why nothing was timed, where nothing was."""
    from affnet.export.autotuning.precision_search import choose_precision

    with _timer(device, options.format, show) as (timer, reason):
        return choose_precision(source, options, output, timer, show), reason


def print_choice(choice: Choice, started: float, json: bool) -> None:
    """Print what was tried, then the file that was taken.

    Raises:
        AccuracyError: none holds the bound; the table is printed nevertheless.
    """
    from affnet.export.autotuning.report import choice_caption, choice_record, choice_table
    from affnet.export.reporting.artifact import export_record, parity_fields

    artifact = choice.artifact
    if json:
        record = export_record(artifact, time.perf_counter() - started) if artifact else {}
        console.print_json({"artifact": None, **record, **choice_record(choice)})
    else:
        print(choice_caption(choice))
        console.print_table(choice_table(choice))
        if artifact:
            print()
            console.print_fields(parity_fields(artifact, artifact.manifest.parity))
    if artifact is None:
        raise AccuracyError(
            f"No precision loses {choice.max_drop:g} points of top-1 at most, so nothing was "
            "written; allow more with --max-accuracy-drop, or calibrate with more images."
        )


@contextmanager
def showing_attempts(json: bool) -> Iterator[None]:
    """Print the files that were judged where none of them holds the bound, then fail."""
    try:
        yield
    except AccuracyError as error:
        from affnet.export.autotuning.report import attempts_record, attempts_table

        if json:
            console.print_json(attempts_record(error))
        elif error.attempts:
            console.print_table(attempts_table(error))
        raise


@contextmanager
def _timer(
    device: str, format_: str, show: Callable[[str], None]
) -> Iterator[tuple[Timer | None, str | None]]:
    """Give a timer on ``device``; none, but the reason, where this host only emulates a runtime."""
    from affnet.bench.measurement.timer import open_timer
    from affnet.runtimes import check_measurable, runtime_for

    runtime = runtime_for(format_)
    try:
        if device == "host":
            check_measurable(runtime)
    except MissingError as error:
        yield None, str(error)
        return
    with open_timer(device, runtime.name, progress=show) as timer:
        yield timer, None
