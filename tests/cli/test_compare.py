"""``affnet compare`` and ``--store`` from end to end, and sources that are refused."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.bench.reporting.output import write
from affnet.bench.results.reading import read_results
from affnet.bench.store.database import Query, Store
from tests.bench.fakes import MS
from tests.bench.store.test_comparison import FAST, SLOW
from tests.bench.store.test_database import run_of
from tests.cli.conftest import copy_artifact
from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]

RUNS = [
    run_of(day, model=model, blocks_ns=blocks)
    for day in (1, 2, 3)
    for model, blocks in (("mine", SLOW), ("peer", FAST))
]


@pytest.fixture
def files(workspace: Path) -> tuple[str, str]:
    """Two files with results."""
    write(RUNS[:2], workspace / "a.json")
    write(RUNS[2:], workspace / "b.jsonl")
    return "a.json", "b.jsonl"


@pytest.fixture
def store(workspace: Path) -> str:
    """A store with results."""
    with Store(str(workspace / "s.db")) as opened:
        opened.add(RUNS)
    return "s.db"


@pytest.fixture(autouse=True)
def _no_store_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AFFNET_STORE", raising=False)


def test_bench_fills_a_store_that_compare_shows(
    run: Run, digits_onnx: Artifact, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (copy_artifact(digits_onnx, workspace / f"{name}.onnx") for name in "ab")
    monkeypatch.setenv("GITHUB_SHA", "0123456789abcdef")
    command = ("bench", one, "--against", two, "--device", "fake", "--quiet")
    assert run(*command, "--store", "s.db", "-o", "r.jsonl").code == 0
    monkeypatch.setenv("AFFNET_STORE", "s.db")
    assert run(*command).code == 0
    done = run("compare", "--json", "--last", 0)
    assert (done.code, done.err) == (0, "")
    assert len(done.json["results"]) == 4
    first = done.json["results"][0]
    assert (first["git_commit"], first["values"], first["group"]) == (
        "0123456789abcdef", "computed", 0,
    )  # fmt: skip
    with Store("s.db") as kept:
        written = read_results(Path("r.jsonl"))
        session = written[0].session
        assert set(map(repr, written)) == {
            repr(result) for result in kept.find(Query()) if result.session == session
        }


def test_a_device_that_fails_leaves_the_others_in_the_store(
    run: Run, digits_onnx: Artifact, workspace: Path
) -> None:
    (workspace / "d.toml").write_text('[broken]\nkind = "fake"\nfails = true\n')
    done = run(
        "bench", digits_onnx.path, "--device", "fake,broken", "--devices-file", "d.toml",
        "--store", "s.db", "--quiet",
    )  # fmt: skip
    assert done.code == 1
    with Store("s.db", create=False) as kept:
        assert [result.device for result in kept.find(Query())] == ["fake"]


def test_files_are_shown_in_full_with_ratios(run: Run, files: tuple[str, str]) -> None:
    done = run("compare", *files, "--against", "peer", "--csv")
    assert done.code == 0, done
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [(row["model"], row["date"][:10], row["commit"]) for row in rows] == [
        (model, f"2026-01-0{day}", f"c{day}") for model in ("mine", "peer") for day in (1, 2, 3)
    ]
    assert [row["x peer [95 %]"].split()[0] for row in rows] == ["2.000"] * 3 + ["1"] * 3
    assert {row["values"] for row in rows} == {"measured"}


def test_of_a_store_the_newest_are_shown(run: Run, store: str) -> None:
    done = run("compare", "--store", store, "--model", "mine", "--json")
    assert [record["git_commit"] for record in done.json["results"]] == ["c3"]
    done = run("compare", "--store", store, "--last", 2, "--json")
    assert [record["git_commit"] for record in done.json["results"]] == ["c2", "c3"] * 2


def test_history_tells_commits_medians_and_ratios(run: Run, store: str) -> None:
    done = run("compare", "--store", store, "--history", "mine", "--against", "peer")
    heading, header, *rows = done.out.splitlines()
    assert heading == "fake (Imagined 9000), 1 thread, protocol quick, each sample a run: measured"
    assert "median ms [95 %]" in header and "x peer [95 %]" in header
    assert [row.split()[:3] for row in rows] == [
        [f"2026-01-0{day}", "00:00", f"c{day}"] for day in (1, 2, 3)
    ]
    assert all("4.00 [4.00, 4.00]  2.000 [2.000, 2.000]" in row for row in rows)
    record = run("compare", "--store", store, "--history", "mine", "--json", "--last", 1).json
    (entry,) = record["results"]
    assert entry["git_commit"] == "c3" and entry["median_ns"] == 4 * MS
    assert entry["median_interval"][0] == 4 * MS and "samples_ns" not in entry


def test_output_converts_and_record_imports_once(run: Run, files: tuple[str, str]) -> None:
    done = run("compare", *files, "--record", "--store", "new.db", "-o", "all.json")
    assert done.err == "Note: 6 of 6 results were new to the store new.db.\n"
    done = run("compare", "a.json", "--record", "--store", "new.db", "-o", "all.jsonl")
    assert done.err == "Note: 0 of 2 results were new to the store new.db.\n"
    assert sorted(map(repr, read_results(Path("all.json")))) == sorted(map(repr, RUNS))
    assert read_results(Path("all.jsonl")) == RUNS[:2]
    with Store("new.db", create=False) as kept:
        assert len(kept.find(Query())) == 6
    run("compare", *files, "-o", "t.md")
    text = Path("t.md").read_text()
    assert text.startswith("### fake (Imagined 9000), 1 thread, protocol quick")
    assert text.count("\n| 2026-") == 6


def test_files_come_before_the_store_of_the_environment(
    run: Run, files: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFNET_STORE", "gone.db")
    assert len(run("compare", files[0], "--json").json["results"]) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Name files with results, or a store with --store."),
        (("a.json", "--record"), "--record adds files to a store; name files, and the store"),
        (("a.json", "--store", "s.db"), "Name files or --store, not both; --record adds"),
        (("--store", "gone.db"), "The store gone.db does not exist; fill one with: affnet bench"),
        (("--store", "s.db", "--model", "x"), "Store s.db holds no result of 'x'; it has: mine, p"),
        (("--store", "s.db", "--history", "mine", "--model", "x"), "--history names its model;"),
        (("gone.json",), "gone.json does not exist; give the path of results"),
        (("a.json", "--against", "x"), "a.json holds no result of 'x'; it has: mine, peer."),
        (("a.json", "-o", "t.txt"), "Unknown suffix of --output '.txt'; valid: .json, .jsonl,"),
    ],
)
def test_requests_that_are_refused(
    refused: Refused,
    files: tuple[str, str],
    store: str,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    assert files and store
    assert refused("compare", *arguments).startswith(sentence)


def test_a_ratio_across_threads_is_refused(refused: Refused, workspace: Path) -> None:
    write([RUNS[0], dataclasses.replace(RUNS[1], threads=4)], workspace / "r.json")
    assert refused("compare", "r.json", "--against", "peer") == (
        "There is no ratio of mine to peer: the threads are 1 and 4; "
        "measure both in one run, with --against."
    )


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("r.json", '{"results": [{"samp', "r.json is not JSON, or not all of it: "),
        ("r.json", '{"a": 1}', "r.json holds no results; make them with: affnet bench"),
        (
            "r.json",
            '{"results": []}',
            "r.json holds no results; make them with: affnet bench --output r.json",
        ),
        ("r.json", '{"results": [{}]}', "r.json, result 1: it is no result of affnet bench."),
        (
            "r.json",
            '{"results": [{"samples_ns": [1], "result_schema": 9}]}',
            "r.json, result 1: its schema is 9, this version of affnet reads 1; update affnet.",
        ),
        ("r.jsonl", "", "r.jsonl holds no results; measure some with"),
        ("r.jsonl", "latency: 3\n", "r.jsonl, line 1 is not JSON: "),
    ],
)
def test_files_that_hold_no_whole_results(
    refused: Refused, workspace: Path, name: str, content: str, sentence: str
) -> None:
    (workspace / name).write_text(content)
    assert refused("compare", name).startswith(sentence)


def test_bad_stores_are_refused_before_anything_is_measured(
    refused: Refused, run: Run, digits_onnx: Artifact, workspace: Path
) -> None:
    (workspace / "bad.db").write_bytes(b"no database, but long enough to be looked at" * 99)
    told = "bad.db is damaged, or no store of results: file is not a database; "
    for command in (("compare",), ("bench", digits_onnx.path, "--device", "fake", "-q")):
        assert refused(*command, "--store", "bad.db").startswith(told)
    Store("new.db").close()
    done = run("compare", "--store", "new.db")
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("Store new.db holds no results; measure some with")
    with contextlib.closing(sqlite3.connect("new.db", isolation_level=None)) as database:
        database.execute("INSERT INTO affnet_schema VALUES (99)")
    assert "has schema 99" in run("compare", "--store", "new.db").error


def test_the_record_is_json_of_plain_numbers(run: Run, workspace: Path) -> None:
    write([run_of(1, blocks_ns=((MS,),))], workspace / "r.json")  # one sample: no interval
    done = run("compare", "r.json", "--json")
    content = json.loads(done.out, parse_constant=lambda text: pytest.fail(text))
    assert content["results"][0]["median_interval"] == [None, None]
