"""Where results go: each form on stdout, and files that are written whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from affnet.bench.reporting import latency_table, output
from affnet.bench.reporting.notes import table_notes
from affnet.errors import OutputError, UsageError
from tests.bench.fakes import a_result

RESULTS = [a_result(), a_result(model="two")]


def test_json_is_one_object_with_its_schema(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(RESULTS, "json")
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == 1
    assert [record["model"] for record in content["results"]] == ["one", "two"]


def test_markdown_and_csv_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(RESULTS, "markdown")
    assert capsys.readouterr().out == latency_table.to_markdown(RESULTS)
    output.show(RESULTS, "csv")
    assert capsys.readouterr().out == latency_table.table(RESULTS).csv()


def test_the_terminal_gets_one_line_a_result_and_the_notes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.show(RESULTS, "terminal")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["model", "one", "two"]
    assert lines[3:] == table_notes(RESULTS)


@pytest.mark.parametrize(
    ("name", "text"),
    [("t.md", latency_table.to_markdown(RESULTS)), ("t.csv", latency_table.table(RESULTS).csv())],
)
def test_the_suffix_of_a_file_says_its_form(tmp_path: Path, name: str, text: str) -> None:
    output.write(RESULTS, tmp_path / name)
    assert (tmp_path / name).read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_of_results_is_what_json_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output.write(RESULTS, tmp_path / "r.json")
    output.show(RESULTS, "json")
    assert json.loads((tmp_path / "r.json").read_text()) == json.loads(capsys.readouterr().out)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "r.json").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="What stood there before is untouched"):
        output.write(RESULTS, tmp_path / "r.json")
    assert (tmp_path / "r.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_one_form_is_chosen_and_two_are_refused() -> None:
    assert output.choose(json=False, markdown=False, csv=False) == "terminal"
    assert output.choose(json=False, markdown=False, csv=True) == "csv"
    with pytest.raises(UsageError, match="--markdown and --csv exclude each other"):
        output.choose(json=False, markdown=True, csv=True)
