"""What a check says to the systems that run it: JUnit's XML, and annotations on GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET  # only written, never parsed

from affnet.bench.budgets.budget_file import Place
from affnet.bench.budgets.check import CheckReport
from affnet.bench.budgets.sentences import sentence
from affnet.bench.budgets.verdicts import FAIL, INCONCLUSIVE, PASS, Verdict
from affnet.errors import printable
from affnet.escaping import for_github


def junit(outcome: CheckReport) -> str:
    """Return JUnit's XML: a suite for each place, with a case for each of its budgets.

    A case is skipped where its budget stayed undecided.  What is measured at a place is measured
    for all of its budgets together: that time is the suite's, and a case has one of its own only
    where it is alone.  Stored results have none.
    """
    groups: dict[Place, list[Verdict]] = {}
    for verdict in outcome.verdicts:
        groups.setdefault(verdict.budget.place, []).append(verdict)
    root = _element("testsuites", "affnet check", sum(outcome.seconds.values()))
    _count(root, outcome.verdicts)
    for place, verdicts in groups.items():
        seconds = outcome.seconds.get(place, 0.0)
        threads = "" if place.threads == 1 else f".{place.threads} threads"
        suite = _element("testsuite", f"{place.device}.{place.runtime}{threads}", seconds)
        _count(suite, verdicts)
        root.append(suite)
        for verdict in verdicts:
            case = _element("testcase", verdict.budget.name, 0 if verdicts[1:] else seconds)
            case.set(
                "classname", printable(f"{place.device}.{place.runtime}.{verdict.budget.model}")
            )
            suite.append(case)
            if tag := {FAIL: "failure", INCONCLUSIVE: "skipped"}.get(verdict.verdict):
                ET.SubElement(case, tag, message=printable(sentence(verdict)))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _element(tag: str, name: str, seconds: float) -> ET.Element:
    """Return an element with its time, unless nothing was measured."""
    element = ET.Element(tag, name=printable(name))
    if seconds:
        element.set("time", f"{seconds:.3f}")
    return element


def _count(element: ET.Element, verdicts: Sequence[Verdict]) -> None:
    counts = {kind: sum(v.verdict == kind for v in verdicts) for kind in (FAIL, INCONCLUSIVE)}
    element.set("tests", str(len(verdicts)))
    element.set("failures", str(counts[FAIL]))
    element.set("skipped", str(counts[INCONCLUSIVE]))
    element.set("errors", "0")


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
