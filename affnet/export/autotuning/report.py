"""What ``export --precision auto`` says of the precisions that it tried."""

from __future__ import annotations

import dataclasses
from typing import Any

from affnet.errors import AccuracyError
from affnet.export.autotuning.precision_search import Candidate, Choice
from affnet.table import Table, numbers, texts
from affnet.units import MEGABYTES, MILLISECONDS, PERCENT


def choice_record(choice: Choice) -> dict[str, Any]:
    """Return the machine-readable form; the file's own record stands beside it."""
    return {
        "precision": choice.artifact.manifest.precision if choice.artifact else None,
        "max_accuracy_drop": choice.max_drop,
        "judged_on": choice.images,
        "top1_pytorch": choice.top1_pytorch,
        "timed_by": choice.timed_by,
        "tried": [dataclasses.asdict(candidate) for candidate in choice.candidates],
    }


def choice_caption(choice: Choice) -> str:
    """Return what the table's numbers were measured on and by."""
    timed = f"latency: {choice.timed_by}, in turns" if choice.timed_by else "latency: not measured"
    return (
        f"top-1: {choice.images}, PyTorch {PERCENT.text(choice.top1_pytorch)}, "
        f"{choice.max_drop:g} points may be lost; {timed}"
    )


def choice_table(choice: Choice) -> Table:
    """Return one row for each precision, in the format's order."""
    header = [
        *texts("precision"),
        *numbers("top-1 %", "points lost", "in float32", "MB", "ms"),
        *texts("verdict"),
    ]
    return Table(header, [_cells(candidate) for candidate in choice.candidates])


def attempts_record(error: AccuracyError) -> dict[str, Any]:
    """Return the machine-readable form of the files that missed a bound."""
    tried = [{"float_parts": parts, "drop_points": points} for parts, points in error.attempts]
    return {"artifact": None, "tried": tried}


def attempts_table(error: AccuracyError) -> Table:
    """Return one row for each file that missed a bound."""
    rows = [(str(parts), f"{points:.1f}") for parts, points in error.attempts]
    return Table(numbers("parts in float32", "points lost"), rows)


def _cells(candidate: Candidate) -> list[str]:
    parts = candidate.float_parts
    return [
        candidate.precision,
        "-" if candidate.top1 is None else PERCENT.number(candidate.top1),
        "-" if candidate.drop_points is None else f"{candidate.drop_points:.1f}",
        "-" if parts is None else f"{parts} part{'' if parts == 1 else 's'}",
        "-" if candidate.file_bytes is None else MEGABYTES.number(candidate.file_bytes),
        "-" if candidate.latency_us is None else MILLISECONDS.number(1e3 * candidate.latency_us),
        candidate.verdict,
    ]
