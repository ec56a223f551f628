"""Results that come back from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from affnet.bench.reporting.output import write
from affnet.bench.results.reading import read_results
from affnet.bench.statistics.intervals import Interval
from affnet.errors import ResultsError, UsageError
from tests.bench.fakes import a_result


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    result = a_result(peer="one", ratio_to_peer=Interval(1.0, 0.9, 1.1), session="s")
    write([result, a_result(model="two")], tmp_path / "r.json")
    assert read_results(tmp_path / "r.json") == [result, a_result(model="two")]


def test_truncated_results_are_refused_at_any_length(tmp_path: Path) -> None:
    write([a_result()], tmp_path / "r.json")
    whole = (tmp_path / "r.json").read_bytes().rstrip()
    for length in range(0, len(whole), 97):
        (tmp_path / "r.json").write_bytes(whole[:length])
        with pytest.raises(ResultsError, match="is not JSON, or not all of it"):
            read_results(tmp_path / "r.json")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"result_schema": 2}, "result 1: its schema is 2, this version of affnet reads 1"),
        ({"samples_ns": [1, 2]}, "its 2 samples are not those of 2 turns"),
        ({"samples_ns": [], "block_lengths": []}, "its 0 samples"),
        ({"samples_ns": [1, 2, 3, 4, 0]}, "a run of 0 ns: the clock did not advance"),
        ({"samples_ns": [1, 2, 3, 4, -5]}, "a run of -5 ns: the clock"),
        ({"block_lengths": [7, -2]}, "its 5 samples"),
        ({"samples_ns": None}, "it is no whole result"),
        ({"load_ns": "soon"}, "load_ns: "),
        ({"ratio_to_peer": 1.0, "ratio_interval": None}, "it is no whole result"),
    ],
)
def test_records_that_cannot_be_are_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"results": [a_result().to_json() | changes]}))
    with pytest.raises(ResultsError) as caught:
        read_results(path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "holds no results"),
        ({"results": []}, "holds no results"),
        ({"results": [1]}, "result 1: it is no result of affnet bench"),
        ({"schema": 2, "results": []}, "is of schema 2, this version of affnet reads 1"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: object, said: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ResultsError) as caught:
        read_results(path)
    assert said in str(caught.value)


def test_no_file_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_results(tmp_path / "none.json")
