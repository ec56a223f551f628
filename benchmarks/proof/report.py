"""Trials as a table, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.proof.judge import Trial


def lines(trials: Sequence[Trial]) -> Iterable[str]:
    """Yield a Markdown table with a row for each format, then each trial that went wrong."""
    yield "| format | planted | of them passed | clean | of them refused | not counted | no file |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for target in dict.fromkeys(trial.target for trial in trials):
        yield _row(target, [trial for trial in trials if trial.target == target])
    for title, chosen in (
        ("Planted faults that passed", [t for t in trials if t.planted and t.misjudged]),
        ("Clean networks that were refused", [t for t in trials if _clean_refused(t)]),
        ("Clean networks whose file is wrong", [t for t in trials if _wrong_though_clean(t)]),
        ("Neither right nor wrong", [t for t in trials if _between(t)]),
        ("Without a file", [t for t in trials if t.verdict == "no file"]),
    ):
        if chosen:
            yield f"\n{title}:\n"
            yield from map(_item, chosen)


def as_json(trials: Sequence[Trial]) -> str:
    """Return all trials, a list of objects; an error that is not finite is null."""

    def fields(trial: Trial) -> dict[str, Any]:
        error = trial.error if math.isfinite(trial.error) else None
        return dataclasses.asdict(trial) | {"error": error, "counted": trial.counted}

    return json.dumps([fields(trial) for trial in trials], indent=1) + "\n"


def _row(target: str, trials: Sequence[Trial]) -> str:
    counted = [trial for trial in trials if trial.counted]
    planted = [trial for trial in counted if trial.planted]
    clean = [trial for trial in counted if not trial.planted]
    no_file = [trial for trial in trials if trial.verdict == "no file"]
    cells = (
        len(planted),
        sum(trial.verdict == "passed" for trial in planted),
        len(clean),
        sum(trial.verdict == "refused" for trial in clean),
        len(trials) - len(counted) - len(no_file),
        len(no_file),
    )
    return f"| {target} | " + " | ".join(map(str, cells)) + " |"


def _clean_refused(trial: Trial) -> bool:
    return not trial.planted and trial.truth == "right" and trial.verdict == "refused"


def _wrong_though_clean(trial: Trial) -> bool:
    return not trial.planted and trial.truth == "wrong"


def _between(trial: Trial) -> bool:
    return trial.verdict != "no file" and not trial.counted and not _wrong_though_clean(trial)


def _item(trial: Trial) -> str:
    truth = (
        f"{trial.truth}, {trial.error:.1e} tolerances on {trial.seen_on}; " if trial.seen_on else ""
    )
    reason = " ".join(trial.reason.split())
    return f"- {trial.target} {trial.name} ({trial.what}): {truth}{trial.verdict}: {reason}"
