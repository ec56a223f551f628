"""What a check says to people and machines."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from affnet.bench.budgets.budget_file import Place
from affnet.bench.budgets.check import CheckReport
from affnet.bench.budgets.ci import github_annotations, junit
from affnet.bench.budgets.report import Targets, emit, markdown, record
from affnet.bench.budgets.verdicts import FAIL, INCONCLUSIVE, PASS, Verdict
from affnet.bench.statistics.intervals import Interval
from affnet.errors import AffnetError
from tests.bench.checks import a_budget
from tests.bench.fakes import MS

BUDGETS = Path("a,b:c.toml")


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


def a_verdict(kind: str, name: str = "quick enough") -> Verdict:
    interval = Interval(13.0 * MS, 12.5 * MS, 13.5 * MS)
    return Verdict(a_budget(name=name), kind, interval, 4, "so it is")


ALL = [a_verdict(PASS, "a"), a_verdict(FAIL, "b"), a_verdict(INCONCLUSIVE, "c")]


@pytest.mark.parametrize(
    ("kinds", "strict", "code"),
    [
        ([PASS], True, 0),
        ([PASS, INCONCLUSIVE], False, 0),
        ([PASS, INCONCLUSIVE], True, 1),
        ([FAIL, INCONCLUSIVE], False, 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst(kinds: list[str], strict: bool, code: int) -> None:
    outcome = CheckReport([a_verdict(kind, kind) for kind in kinds])
    assert emit(outcome, BUDGETS, Targets(), as_json=True, strict=strict) == code


def test_the_promised_fields_are_there() -> None:
    found = json.loads(json.dumps(record(ALL)))
    assert found["verdict"] == FAIL
    first = found["budgets"][0]
    assert first["interval"] == [12.5 * MS, 13.5 * MS]
    assert (first["name"], first["verdict"], first["value"], first["limit"]) == (
        "a",
        PASS,
        13.0 * MS,
        12.0 * MS,
    )


def parsed(outcome: CheckReport) -> ElementTree.Element:
    return ElementTree.fromstring(junit(outcome).encode())  # noqa: S314  # our own


def test_junit_is_xml_with_a_failure_and_a_skipped_case() -> None:
    hostile = a_verdict(FAIL, 'a<b>&"\x01\u202e é')
    whole = parsed(CheckReport([*ALL, hostile]))
    (suite,) = whole
    expected = {"tests": "4", "failures": "2", "skipped": "1", "errors": "0"}
    for counted in (whole, suite):
        assert {name: counted.get(name) for name in expected} == expected
    assert [[child.tag for child in case] for case in suite] == [
        [],
        ["failure"],
        ["skipped"],
        ["failure"],
    ]
    assert suite[3].get("name") == 'a<b>&"   é'
    message = suite[1][0].get("message") or ""
    assert "median of one is 13.00 ms [12.50 to 13.50 ms, 95 %], allowed is 12 ms" in message


def test_junit_has_the_time_of_each_place_and_of_a_case_that_is_alone() -> None:
    here, there = a_budget(), a_budget(place=Place("pixel", "litert", threads=4), name="alone")
    several = [Verdict(here, PASS, None, 4, "so it is")] * 2
    outcome = CheckReport(
        [*several, Verdict(there, PASS, None, 4, "so it is")],
        seconds={here.place: 60.25, there.place: 30.0},
    )
    whole = parsed(outcome)
    assert whole.get("time") == "90.250"
    assert [(suite.get("name"), suite.get("time")) for suite in whole] == [
        ("fake.onnxruntime", "60.250"),
        ("pixel.litert.4 threads", "30.000"),
    ]
    assert [case.get("time") for case in whole.iter("testcase")] == [None, None, "30.000"]
    assert " time=" not in junit(CheckReport(ALL))  # stored results: nothing was measured


def test_annotations_are_escaped_and_only_of_what_did_not_pass() -> None:
    name = "50%: a,b\n::error::x"
    (line,) = github_annotations([a_verdict(PASS), a_verdict(FAIL, name)], BUDGETS)
    assert line.startswith(
        "::error file=a%2Cb%3Ac.toml,line=4,title=FAIL%3A 50%25%3A a%2Cb %3A%3Aerror%3A%3Ax::"
    )
    assert "\n" not in line
    (warning,) = github_annotations([a_verdict(INCONCLUSIVE)], BUDGETS)
    assert warning.startswith("::warning ")


def test_markdown_keeps_its_columns_whatever_the_name() -> None:
    lines = markdown([a_verdict(FAIL, "a|b\nc")]).splitlines()
    assert lines[0] == "### Budgets: FAIL"
    assert lines[4] == "| FAIL | a\\|b c | 13.00 ms | 12.50 to 13.50 ms | 4 |"


def test_markdown_says_why_budgets_did_not_pass_and_which_modules_are_slower() -> None:
    reason = "above the limit; slower by module: layer_4.1 1.02 ms"
    failed = dataclasses.replace(a_verdict(FAIL, "b"), reason=reason, warnings=("too warm",))
    text = markdown([a_verdict(PASS, "a"), failed, a_verdict(INCONCLUSIVE, "c")])
    said = "median of one is 13.00 ms \\[12.50 to 13.50 ms, 95 %], allowed is 12 ms"
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        f"- FAIL: {said}: {reason}.",
        f"- INCONCLUSIVE: {said}: so it is.",
        "- Warning: too warm.",
    ]


def test_names_with_brackets_stand_in_the_table_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome = CheckReport([a_verdict(PASS, "of [bold] and [/]")])
    emit(outcome, BUDGETS, Targets(), as_json=False, strict=False)
    assert "of [bold] and [/]" in capsys.readouterr().out


def test_summaries_are_appended_to_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, own = tmp_path / "step.md", tmp_path / "own.md"
    own.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    emit(CheckReport(ALL), BUDGETS, Targets(summary=own), as_json=True, strict=False)
    assert own.read_text() == "before\n" + markdown(ALL)
    assert step.read_text() == markdown(ALL)


def test_annotations_come_on_github_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    emit(CheckReport(ALL), BUDGETS, Targets(), as_json=True, strict=False)
    assert "::error" not in "".join(capsys.readouterr())
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    emit(CheckReport(ALL), BUDGETS, Targets(), as_json=True, strict=False)
    out, err = capsys.readouterr()
    assert json.loads(out)["verdict"] == FAIL
    assert err.count("::error ") == err.count("::warning ") == 1


def test_a_file_that_cannot_be_written_costs_neither_verdicts_nor_other_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    own = tmp_path / "own.md"
    targets = Targets(junit=taken / "check.xml", summary=own)
    with pytest.raises(AffnetError):
        emit(CheckReport(ALL), BUDGETS, targets, as_json=False, strict=False)
    assert "FAIL: 1 PASS, 1 FAIL, 1 INCONCLUSIVE." in capsys.readouterr().out
    assert own.read_text() == markdown(ALL)


def test_a_full_disk_is_one_sentence_after_the_verdicts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(AffnetError, match="No space is left for /dev/full"):
        emit(CheckReport(ALL), BUDGETS, Targets(summary=full), as_json=False, strict=False)
    assert "FAIL: 1 PASS" in capsys.readouterr().out


def test_an_interval_is_called_by_its_own_confidence_and_a_limit_in_its_unit() -> None:
    budget = dataclasses.replace(
        a_budget(), limit=1.05, text="+5 %", peer=None, relative_to_baseline=True
    )
    found = Interval(1.283, 1.25, 1.31)
    verdict = Verdict(budget, FAIL, found, 4, "so it is", level=0.9975)
    text = markdown([verdict])
    assert "interval of 99.75 %" in text
    assert "1.283 x \\[1.250 to 1.310 x, 99.75 %], allowed is 1.05 x the baseline (+5 %)" in text
    assert "interval of 95 % and 99.75 %" in markdown([verdict, a_verdict(PASS)])
    assert record([verdict])["budgets"][0]["confidence"] == 0.9975  # type: ignore[index]
    beside = dataclasses.replace(
        budget, text="0.8", limit=0.8, peer="two", relative_to_baseline=False
    )
    assert "allowed is 0.8 x two: so" in markdown([dataclasses.replace(verdict, budget=beside)])


def test_of_similar_warnings_each_model_has_one() -> None:
    drifted = [
        "latency drifted by -10 % (net_2)", "latency drifted by -12 % (net_2)",
        "latency drifted by -10 % (net_3)",
    ]  # fmt: skip
    text = markdown([dataclasses.replace(a_verdict(PASS), warnings=tuple(drifted))])
    lines = [line for line in text.splitlines() if line.startswith("- Warning")]
    assert lines == [f"- Warning: {drifted[0]}.", f"- Warning: {drifted[2]}."]
