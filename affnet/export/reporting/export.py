"""What ``affnet export`` prints: the file, how it was chosen, or a row for each format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from affnet import console
from affnet.errors import AccuracyError
from affnet.export.all_formats import ExportOutcome
from affnet.export.autotuning.report import (
    attempts_record,
    attempts_table,
    choice_caption,
    choice_record,
    choice_table,
)
from affnet.export.reporting.artifact import parity_fields, parity_record
from affnet.export.run import ExportReport
from affnet.runtimes import runtime_for
from affnet.table import Table, numbers, texts
from affnet.units import MEGABYTES, PERCENT


def report_record(report: ExportReport) -> dict[str, Any]:
    """Return the machine-readable form of an export."""
    record: dict[str, Any] = {"artifact": None}
    if (artifact := report.artifact) is not None:
        operators = runtime_for(artifact.manifest.format).operators(artifact.path)
        record = {
            **parity_record(artifact, artifact.manifest.parity),
            "operators": sum(operators.values()),
            "delegated_share": artifact.manifest.details.get("delegated_share"),
            "seconds": round(report.seconds, 1),
        }
    return record | (choice_record(report.choice) if report.choice else {})


def print_report(report: ExportReport, json: bool, quiet: bool) -> None:
    """Print an export's report.

    Raises:
        AccuracyError: a search found nothing; its table is printed nevertheless.
    """
    for sentence in report.notes:
        console.note(sentence, quiet)
    artifact, choice = report.artifact, report.choice
    if json:
        console.print_json(report_record(report))
    else:
        if choice:
            console.print_line(choice_caption(choice))
            console.print_table(choice_table(choice))
        if choice and artifact:
            console.print_line()
        if artifact:
            console.print_fields(parity_fields(artifact, artifact.manifest.parity))
    if choice and artifact is None:
        raise AccuracyError(
            f"No precision loses {choice.max_drop:g} points of top-1 at most, so nothing was "
            "written; allow more with --max-accuracy-drop, or calibrate with more images."
        )


def print_attempts(error: AccuracyError, json: bool) -> None:
    """Print the files that were judged where none of them holds the accuracy bound."""
    if json:
        console.print_json(attempts_record(error))
    elif error.attempts:
        console.print_table(attempts_table(error))


def print_outcomes(outcomes: Sequence[ExportOutcome], json: bool, quiet: bool) -> None:
    """Print an export to several formats, what they note once."""
    for sentence in dict.fromkeys(note for outcome in outcomes for note in outcome.notes):
        console.note(sentence, quiet)
    if json:
        console.print_json({"results": [_outcome_record(outcome) for outcome in outcomes]})
    else:
        console.print_table(outcome_table(outcomes))


def _outcome_record(outcome: ExportOutcome) -> dict[str, Any]:
    return outcome.record or {
        "format": outcome.request.format,
        "exit_code": outcome.exit_code,
        "error": str(outcome.error),
    }


def outcome_table(outcomes: Sequence[ExportOutcome]) -> Table:
    """Return the table that ends an export to several formats."""
    of_numbers = ("MB", "operators", "delegated", "max error", "PSNR dB", "top-1", "s")
    header = [*texts("format", "file"), *numbers(*of_numbers)]
    return Table(header, [_outcome_cells(outcome, len(of_numbers)) for outcome in outcomes])


def _outcome_cells(outcome: ExportOutcome, numbers: int) -> list[str]:
    record = outcome.record
    if record is None:
        return [outcome.label, f"failed: {outcome.error}", *[""] * numbers]
    share, verified = record["delegated_share"], record["passed"] is not None
    return [
        outcome.label,
        record["artifact"],
        MEGABYTES.number(record["file_bytes"]),
        str(record["operators"]),
        PERCENT.text(share) if share is not None else "-",
        f"{record['max_rel_error']:.1e}" if verified else "not verified",
        f"{record['psnr_db']:.1f}" if verified else "-",
        PERCENT.text(record["top1_agreement"]) if verified else "-",
        f"{outcome.seconds:.0f}",
    ]
