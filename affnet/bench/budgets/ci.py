"""What a check says to the systems that run it: JUnit's XML, and annotations on GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET  # only written, never parsed

from affnet.bench.budgets.check import CheckReport
from affnet.bench.budgets.sentences import sentence
from affnet.bench.budgets.verdicts import FAIL, INCONCLUSIVE, PASS, Verdict
from affnet.errors import printable
from affnet.escaping import for_github


def junit(outcome: CheckReport) -> str:
    """Return JUnit's XML: a test case for each budget, skipped where it stayed undecided."""
    verdicts = outcome.verdicts
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
            name=printable(verdict.budget.name),
            classname=printable(f"{place.device}.{place.runtime}.{verdict.budget.model}"),
        )
        tag = {FAIL: "failure", INCONCLUSIVE: "skipped"}.get(verdict.verdict)
        if tag:
            ET.SubElement(case, tag, message=printable(sentence(verdict)))
    ET.indent(suite)
    text = ET.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def github_annotations(verdicts: Sequence[Verdict], budgets: Path) -> list[str]:
    """Return GitHub's workflow commands for what did not pass, at the line of its budget."""
    levels = {FAIL: "error", INCONCLUSIVE: "warning"}
    return [
        f"::{levels[v.verdict]} file={for_github(str(budgets), is_property=True)},"
        f"line={v.budget.line},"
        f"title={for_github(f'{v.verdict}: {v.budget.name}', is_property=True)}"
        f"::{for_github(sentence(v))}"
        for v in verdicts
        if v.verdict != PASS
    ]
