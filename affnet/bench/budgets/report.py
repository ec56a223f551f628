"""What a check says: to a person, to a machine, to the systems that run it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from affnet import console
from affnet.bench.budgets.check import CheckReport
from affnet.bench.budgets.ci import github_annotations, junit
from affnet.bench.budgets.noise_floor import Sensitivity
from affnet.bench.budgets.sentences import interval_header, sentence, values
from affnet.bench.budgets.verdicts import FAIL, INCONCLUSIVE, PASS, Verdict, overall
from affnet.bench.reporting.output import check_target, deliver, write
from affnet.escaping import for_markdown
from affnet.files import translating_os_errors, write_whole
from affnet.table import Table, numbers, texts
from affnet.units import PERCENT

_NUMBER = re.compile(r"[-+]?\d[\d.,]*")


@dataclass(frozen=True)
class Targets:
    """The files to write beside what is printed."""

    junit: Path | None = None
    summary: Path | None = None
    results: Path | None = None

    def check(self) -> None:
        """Raise `UsageError` unless they can be written: before minutes of measuring."""
        if self.junit:
            check_target(self.junit, "--junit", None)
        if self.summary:
            check_target(self.summary, "--summary", None)
        if self.results:
            check_target(self.results, suffixes=(".json", ".jsonl"))


def emit(
    outcome: CheckReport, budgets: Path, targets: Targets, *, as_json: bool, strict: bool
) -> int:
    """Write and print verdicts; return the exit code: 1 for FAIL, or INCONCLUSIVE if ``strict``."""
    steps = _writers(outcome, targets)
    steps.append(partial(_show, outcome.verdicts, as_json=as_json))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        lines = github_annotations(outcome.verdicts, budgets)
        steps.append(partial(console.print_commands, lines, to_stderr=as_json))
    deliver(*steps)
    worst = overall(outcome.verdicts)
    return int(worst == FAIL or (strict and worst == INCONCLUSIVE))


def _show(verdicts: Sequence[Verdict], *, as_json: bool) -> None:
    if as_json:
        console.print_json(record(verdicts))
        return
    console.print_table(_table(verdicts))
    for verdict in verdicts:
        if verdict.verdict == FAIL:
            console.print_line(f"{sentence(verdict)}.")
    for warning in _warnings(verdicts):
        console.print_line(f"Warning: {warning}.")
    console.print_line(f"{overall(verdicts)}: {_count(verdicts)}.")


def _writers(outcome: CheckReport, targets: Targets) -> list[Callable[[], None]]:
    """Return a function for each file that is to be written."""
    writers: list[Callable[[], None]] = []
    if targets.junit:
        writers.append(partial(write_whole, targets.junit, junit(outcome)))
    text = markdown(outcome.verdicts)
    writers += [partial(_append, path, text) for path in _summaries(targets, os.environ)]
    if targets.results and outcome.results:
        writers.append(partial(write, outcome.results, targets.results))
    return writers


def _append(path: Path, text: str) -> None:
    with translating_os_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(text)


def show_calibration(found: Sequence[Sensitivity], *, as_json: bool) -> None:
    """Print what each model's comparison with itself showed."""
    if as_json:
        console.print_json({"calibration": [asdict(sensitivity) for sensitivity in found]})
        return
    rows = [
        (
            one.model,
            one.metric,
            one.place.device,
            one.place.runtime,
            f"{one.ratio:.3f} x",
            PERCENT.text(one.detectable),
        )
        for one in found
    ]
    header = texts("model", "metric", "device", "runtime", "to itself", "detectable change")
    console.print_table(Table(header, rows))
    console.print_line(
        "Remembered for this machine: tighter budgets relative to a baseline are refused."
    )


def record(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Return the machine-readable form."""
    return {"verdict": overall(verdicts), "budgets": [verdict.to_json() for verdict in verdicts]}


def markdown(verdicts: Sequence[Verdict]) -> str:
    """Return a summary: a table, why others did not pass, and what speaks against the results."""
    below = [f"{v.verdict}: {sentence(v)}" for v in verdicts if v.verdict != PASS]
    below += [f"Warning: {warning}" for warning in _warnings(verdicts)]
    title = f"### Budgets: {overall(verdicts)}"
    lines = [
        title,
        "",
        _table(verdicts).markdown(),
        *(f"- {for_markdown(text)}." for text in below),
    ]
    return "\n".join(lines) + ("\n\n" if below else "\n")


def _warnings(verdicts: Sequence[Verdict]) -> list[str]:
    """Return what speaks against the results, of similar things of one model the first."""
    found = dict[tuple[str, str], str]()
    for verdict in verdicts:
        for warning in verdict.warnings:
            why, _, model = warning.rpartition(" (")
            found.setdefault((_NUMBER.sub("", why), model), warning)
    return list(found.values())


def _summaries(targets: Targets, environment: Mapping[str, str]) -> list[Path]:
    """Return the files that Markdown is appended to: GitHub's too, where it runs this."""
    step = environment.get("GITHUB_STEP_SUMMARY")
    return [*filter(None, (targets.summary, Path(step) if step else None))]


def _table(verdicts: Sequence[Verdict]) -> Table:
    columns = numbers("value", interval_header(verdicts), "rounds")
    return Table([*texts("verdict", "budget"), *columns], [_cells(verdict) for verdict in verdicts])


def _cells(verdict: Verdict) -> tuple[str, ...]:
    value, interval = values(verdict)
    return verdict.verdict, verdict.budget.name, value, interval, str(verdict.rounds)


def _count(verdicts: Sequence[Verdict]) -> str:
    kinds = [
        (kind, sum(v.verdict == kind for v in verdicts)) for kind in (PASS, FAIL, INCONCLUSIVE)
    ]
    return ", ".join(f"{count} {kind}" for kind, count in kinds if count)
