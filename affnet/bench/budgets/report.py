"""What a check says: to a person, to a machine, to the systems that run it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree as ET  # only written, never parsed

from rich.table import Table

from affnet import console
from affnet.bench.budgets.check import CheckReport
from affnet.bench.budgets.metrics import METRICS
from affnet.bench.budgets.noise_floor import Sensitivity
from affnet.bench.budgets.verdicts import FAIL, INCONCLUSIVE, PASS, Verdict, overall
from affnet.bench.reporting.output import check_target, write
from affnet.files import translating_os_errors, write_whole
from affnet.units import MEGABYTES, MILLISECONDS, PERCENT, Unit

# what no XML file may hold, not even escaped
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"[-+]?\d[\d.,]*")
_HEADERS = ("verdict", "budget", "value", "95 % or more", "rounds")
_UNITS: dict[str | None, Unit | None] = {"time": MILLISECONDS, "bytes": MEGABYTES, None: None}


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
    """Print and write verdicts; return the exit code: 1 for FAIL, or INCONCLUSIVE if ``strict``."""
    verdicts = outcome.verdicts
    if as_json:
        console.print_json(record(verdicts))
    else:
        console.print_table(_table(verdicts))
        for verdict in verdicts:
            if verdict.verdict == FAIL:
                print(f"{_sentence(verdict)}.")
        for warning in _warnings(verdicts):
            print(f"Warning: {warning}.")
        print(f"{overall(verdicts)}: {_count(verdicts)}.")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github_annotations(verdicts, budgets):
            print(line, file=sys.stderr if as_json else sys.stdout)
    _write_all(outcome, targets)
    worst = overall(verdicts)
    return int(worst == FAIL or (strict and worst == INCONCLUSIVE))


def _write_all(outcome: CheckReport, targets: Targets) -> None:
    """Write the files; one that cannot be written costs none of the others."""
    with ExitStack() as writers:  # which calls all, whatever one of them raises
        if targets.results and outcome.results:
            writers.callback(write, outcome.results, targets.results)
        for path in _summaries(targets, os.environ):
            writers.callback(_append, path, markdown(outcome.verdicts))
        if targets.junit:
            writers.callback(write_whole, targets.junit, junit(outcome.verdicts))


def _append(path: Path, text: str) -> None:
    with translating_os_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(text)


def show_calibration(found: Sequence[Sensitivity], *, as_json: bool) -> None:
    """Print what each model's comparison with itself showed."""
    if as_json:
        console.print_json({"calibration": [asdict(sensitivity) for sensitivity in found]})
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("model", "metric", "device", "runtime", "to itself", "detectable change"):
        table.add_column(header)
    for one in found:
        place = (one.place.device, one.place.runtime)
        cells = (f"{one.ratio:.3f} x", f"{PERCENT.text(one.detectable)}")
        table.add_row(one.model, one.metric, *place, *cells)
    console.print_table(table)
    print("Remembered for this machine: tighter budgets relative to a baseline are refused.")


def record(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Return the machine-readable form."""
    return {"verdict": overall(verdicts), "budgets": [verdict.to_json() for verdict in verdicts]}


def markdown(verdicts: Sequence[Verdict]) -> str:
    """Return a table for a summary page."""
    rows = [_HEADERS, ("---", "---", "---:", "---:", "---:"), *map(_cells, verdicts)]
    table = ["| " + " | ".join(map(_markdown_cell, row)) + " |" for row in rows]
    warnings = [f"- Warning: {warning}." for warning in _warnings(verdicts)]
    below = [*warnings, ""] if warnings else []
    return "\n".join([f"### Budgets: {overall(verdicts)}", "", *table, "", *below]) + "\n"


def _warnings(verdicts: Sequence[Verdict]) -> list[str]:
    """Return what speaks against the results, of similar things the first."""
    found = dict[str, str]()
    for verdict in verdicts:
        for warning in verdict.warnings:
            found.setdefault(_NUMBER.sub("", warning), warning)
    return list(found.values())


def _markdown_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def junit(verdicts: Sequence[Verdict]) -> str:
    """Return JUnit's XML: a test case for each budget, skipped where it stayed undecided."""
    counts = {kind: sum(v.verdict == kind for v in verdicts) for kind in (FAIL, INCONCLUSIVE)}
    suite = ET.Element(
        "testsuite",
        name="affnet check",
        tests=str(len(verdicts)),
        failures=str(counts[FAIL]),
        skipped=str(counts[INCONCLUSIVE]),
        errors="0",
    )
    for verdict in verdicts:
        place = verdict.budget.place
        case = ET.SubElement(
            suite,
            "testcase",
            name=verdict.budget.name,
            classname=f"{place.device}.{place.runtime}.{verdict.budget.model}",
        )
        tag = {FAIL: "failure", INCONCLUSIVE: "skipped"}.get(verdict.verdict)
        if tag:
            ET.SubElement(case, tag, message=_sentence(verdict))
    ET.indent(suite)
    text = ET.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_NOT_XML.sub("?", text)}\n'


def github_annotations(verdicts: Sequence[Verdict], budgets: Path) -> list[str]:
    """Return GitHub's workflow commands for what did not pass, at the line of its budget."""
    levels = {FAIL: "error", INCONCLUSIVE: "warning"}
    return [
        f"::{levels[v.verdict]} file={_escaped(str(budgets), ',:')},line={v.budget.line},"
        f"title={_escaped(f'{v.verdict}: {v.budget.name}', ',:')}::{_escaped(_sentence(v))}"
        for v in verdicts
        if v.verdict != PASS
    ]


def _escaped(text: str, also: str = "") -> str:
    """Escape what ends a workflow command's part, as its documentation says."""
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _summaries(targets: Targets, environment: Mapping[str, str]) -> list[Path]:
    """Return the files that Markdown is appended to: GitHub's too, where it runs this."""
    step = environment.get("GITHUB_STEP_SUMMARY")
    return [*filter(None, (targets.summary, Path(step) if step else None))]


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, header in enumerate(_HEADERS):
        table.add_column(header, justify="left" if index < 2 else "right")
    for verdict in verdicts:
        table.add_row(*_cells(verdict))
    return table


def _cells(verdict: Verdict) -> tuple[str, ...]:
    value, interval = _values(verdict)
    return verdict.verdict, verdict.budget.name, value, interval, str(verdict.rounds)


def _values(verdict: Verdict) -> tuple[str, str]:
    """Return the value and the interval in the budget's own unit."""
    found, budget = verdict.interval, verdict.budget
    if found is None:
        return "-", "-"
    relative = budget.peer is not None or budget.relative_to_baseline
    unit = None if relative else _UNITS[METRICS[budget.metric].dimension]

    def number(value: float) -> str:
        if unit:
            return unit.number(value)
        return f"{value:.3f}" if relative else f"{value:.3g}"

    suffix = f" {unit.symbol}" if unit else " x" if relative else ""
    if found.high == float("inf"):
        return number(found.value) + suffix, "-"
    return number(found.value) + suffix, f"{number(found.low)} to {number(found.high)}{suffix}"


def _sentence(verdict: Verdict) -> str:
    value, interval = _values(verdict)
    return (
        f"{verdict.budget.metric} of {verdict.budget.model} is {value} [{interval}], "
        f"allowed is {verdict.budget.text}: {verdict.reason}"
    )


def _count(verdicts: Sequence[Verdict]) -> str:
    kinds = [
        (kind, sum(v.verdict == kind for v in verdicts)) for kind in (PASS, FAIL, INCONCLUSIVE)
    ]
    return ", ".join(f"{count} {kind}" for kind, count in kinds if count)
