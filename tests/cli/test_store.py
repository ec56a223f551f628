"""``affnet store``: results move between stores, and old ones go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.bench.store.database import Query, Store
from tests.bench.store.test_database import FULL, run_of
from tests.conftest import Finished

Run = Callable[..., Finished]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "s.db"
    with Store(str(path)) as store:
        store.add([FULL, *(run_of(day, model="b") for day in range(1, 7))])
    return path


def test_a_store_moves_through_a_file_and_nothing_is_there_twice(
    path: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("affnet.bench.store.database._AT_ONCE", 2)
    lines, other = tmp_path / "r.jsonl", tmp_path / "other.db"
    assert run("store", "export", lines, "--store", path, "--json").json["results"] == 7
    for added in (7, 0):
        done = run("store", "import", lines, "--store", other, "--json")
        assert (done.json["read"], done.json["added"]) == (7, added)
    with Store(str(path)) as before, Store(str(other)) as after:
        assert after.find(Query()) == before.find(Query())
    some = run("store", "export", lines, "--store", path, "--model", "b", "--device", "none")
    assert some.out == f"0 results are in {lines}.\n"
    assert lines.read_text() == ""


def test_pruning_keeps_the_newest_of_each_kind(path: Path, run: Run) -> None:
    given = ("store", "prune", "--before", "2026-01-05", "--store", path)
    assert run(*given, "--keep", 4, "--dry-run").out == "2 results would be removed.\n"
    assert run(*given).out == "0 results were removed.\n"
    assert run(*given, "--keep", 1).out == "4 results were removed.\n"
    with Store(str(path)) as store:
        left = store.find(Query())
    assert [(r.model, r.recorded_at[:10]) for r in left] == [
        ("b", "2026-01-05"),
        ("b", "2026-01-06"),
        (FULL.model, "2026-01-01"),
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("prune", "--before", "2026-01-01"), "No store is named; add --store"),
        (("prune", "--before", "2026-01-01", "--store", "none.db"), "none.db does not exist"),
        (("export", "r.csv", "--store", "s.db"), "r.csv is not called .jsonl"),
        (("import", "none.jsonl", "--store", "s.db"), "none.jsonl"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    words: tuple[str, ...], sentence: str, run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    done = run("store", *words)
    assert (done.code, sentence in done.error) == (2, True)
