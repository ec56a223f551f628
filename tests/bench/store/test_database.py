"""The store in a SQLite file: what comes back, who may write at once, and what is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import Interval
from affnet.bench.store.database import Query, Store
from affnet.bench.store.recorder import open_recorder
from affnet.bench.store.schema import MIGRATIONS, Migration
from affnet.devices.base import BlockStatistics
from affnet.errors import OutputError, StoreError
from affnet.parity import Parity
from tests.bench.fakes import MS, a_result

ROOT = Path(__file__).parents[3]


def run_of(number: int, **changes: object) -> Result:
    """The result of one day."""
    return a_result(
        **{
            "session": f"s{number}",
            "recorded_at": f"2026-01-{number:02}T00:00:00+00:00",
            "git_commit": f"c{number}",
            **changes,
        }
    )


FULL = run_of(
    1,
    published={"top1_percent": 73.0, "source": "a paper"},
    validity_reasons=("too warm", "too busy"),
    peer="two",
    ratio_to_peer=Interval(0.5, 0.25, 0.75),
    block_statistics=(BlockStatistics(9, 9 * MS, MS, MS, 9 * MS, 3 * MS, 5, None, 2 * MS, None),)
    * 2,
    limits=("no p99",),
    exported_error=1e-6,
    parity=Parity(1e-6, 1e-6, 120.0, 1.0, 2, 1e-4, True),
)


def connecting(path: Path) -> contextlib.closing[sqlite3.Connection]:
    """Open a file beside the store, each statement its own transaction; close it at the end."""
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.db"


def test_a_result_comes_back_with_every_field(path: Path) -> None:
    with Store(str(path)) as store:
        assert store.add([FULL]) == 1
    with Store(str(path), create=False) as store:
        assert store.find(Query()) == [FULL]


def test_the_same_result_is_kept_once(path: Path) -> None:
    later = dataclasses.replace(FULL, limits=(), peer=None, ratio_to_peer=None)  # other fields
    with Store(str(path)) as store:
        assert store.add([FULL, FULL]) == 1
        assert store.add([later, run_of(2)]) == 1
        assert store.find(Query()) == [FULL, run_of(2)]


def test_a_run_of_the_same_session_with_other_samples_is_another(path: Path) -> None:
    with Store(str(path)) as store:
        assert store.add([FULL, dataclasses.replace(FULL, blocks_ns=((MS,), (MS,)))]) == 2


def test_queries(path: Path) -> None:
    runs = [run_of(day, model=model) for model in ("one", "two") for day in (1, 2, 3)]
    elsewhere = run_of(1, device="pi")
    threads = run_of(2, threads=4)
    with Store(str(path)) as store:
        store.add([*runs[::-1], elsewhere, threads])
        assert store.models() == ["one", "two"]
        assert store.devices() == ["fake", "pi"]
        assert store.find(Query(models=("two",))) == runs[3:]
        assert store.find(Query(models=("two",), last=2)) == runs[4:]
        assert store.find(Query(devices=("pi",))) == [elsewhere]
        newest = store.find(Query(last=1))  # of each group: threads and devices apart
        assert sorted(map(repr, newest)) == sorted(
            map(repr, [elsewhere, threads, runs[2], runs[5]])
        )
        assert store.of_sessions(["s1", "s3", ""], "two") == [runs[3], runs[5]]
        assert store.find(Query(models=("three",))) == []


def test_newest_results_are_found_by_jumps_through_an_index(path: Path) -> None:
    """None of these sorts, or reads all: with a million results that takes many seconds."""
    statements: list[tuple[str, Any]] = []
    with Store(str(path)) as store:
        store.add([run_of(day, model=model) for model in ("one", "two") for day in (1, 2, 3)])

        def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
            statements.append((statement, values))

        sqlalchemy.event.listen(store._engine, "before_cursor_execute", note)
        store.find(Query(models=("one",), last=2))
        store.find(Query(last=1))
        store.models()
        store.devices()
    with connecting(path) as database:
        plans = [
            step
            for statement, values in statements
            for *_, step in database.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    assert len(plans) > 8
    assert all("USING" in step and "B-TREE" not in step for step in plans), plans


def test_what_is_queried_has_columns_and_indexes(path: Path) -> None:
    with Store(str(path)) as store:
        store.add([FULL])
    with connecting(path) as database:
        wanted = "model, device, runtime, threads, precision, git_commit, recorded_at, session"
        (row,) = database.execute(f"SELECT {wanted}, artifact_sha256 FROM affnet_results")  # noqa: S608
        indexes = {
            column
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'index'")
            for _, _, column in database.execute(f"PRAGMA index_info({name})")
        }
    assert row == (
        "one", "fake", "onnxruntime", 1, "fp32", "c1", FULL.recorded_at, "s1", "0" * 64
    )  # fmt: skip
    assert indexes >= {*wanted.split(", "), "artifact_sha256"}


def test_samples_are_stored_compactly(path: Path) -> None:
    import random

    noise = random.Random(0)  # noqa: S311
    samples = tuple(round(5e6 * noise.gauss(1, 0.01)) for _ in range(1000))
    with Store(str(path)) as store:
        store.add([a_result(blocks_ns=(samples,))])
    with connecting(path) as database:
        ((length,),) = database.execute("SELECT length(samples) FROM affnet_results")
    assert length < 4000  # of 8000


def test_an_older_store_is_migrated_once_and_keeps_its_results(path: Path) -> None:
    with Store(str(path)) as store:
        store.add([FULL])
    next_one = Migration(
        len(MIGRATIONS) + 1, ("ALTER TABLE affnet_results ADD COLUMN place VARCHAR(9) DEFAULT 'x'",)
    )
    for _ in range(2):
        with Store(str(path), migrations=(*MIGRATIONS, next_one)) as store:
            assert store.find(Query()) == [FULL]
    with connecting(path) as database:
        assert list(database.execute("SELECT place FROM affnet_results")) == [("x",)]
        versions = list(database.execute("SELECT version FROM affnet_schema"))
    assert versions == [(one.version,) for one in (*MIGRATIONS, next_one)]


def test_a_migration_that_fails_leaves_the_store_as_it_was(path: Path) -> None:
    Store(str(path)).close()
    broken = Migration(
        len(MIGRATIONS) + 1, ("CREATE TABLE extra (a INTEGER)", "ALTER TABLE nowhere ADD COLUMN b")
    )
    with pytest.raises(StoreError, match="no such table: nowhere"):
        Store(str(path), migrations=(*MIGRATIONS, broken))
    with Store(str(path)) as store:
        assert store.add([FULL]) == 1
    with connecting(path) as database:
        assert ("extra",) not in list(database.execute("SELECT name FROM sqlite_master"))


def test_a_store_of_a_newer_version_is_refused(path: Path) -> None:
    Store(str(path), migrations=(*MIGRATIONS, Migration(7, ()))).close()
    with pytest.raises(StoreError) as refused:
        Store(str(path))
    assert str(refused.value) == (
        f"The store {path} has schema 7, this version of affnet knows up to {len(MIGRATIONS)}; "
        "update affnet, or name another store."
    )


def test_versions_are_numbered_without_gaps() -> None:
    assert [m.version for m in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"model,latency\n" * 1000)
    with pytest.raises(StoreError, match=r"s\.db is damaged, or no store of results: file is not"):
        Store(str(path))
    assert path.read_bytes() == b"model,latency\n" * 1000


def test_a_damaged_database_is_told(path: Path) -> None:
    with Store(str(path)) as store:
        store.add([run_of(day % 28 + 1, model=f"m{day}") for day in range(300)])
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)  # every page but the first
    path.write_bytes(content)
    told = r"is damaged, or no store of results: .*malformed"
    with pytest.raises(StoreError, match=told), Store(str(path), create=False) as store:
        store.find(Query())


def test_a_damaged_result_is_told(path: Path) -> None:
    with Store(str(path)) as store:
        store.add([FULL])
    with connecting(path) as database:
        database.execute("UPDATE affnet_results SET record = x'00'")
    with Store(str(path)) as store, pytest.raises(StoreError, match="holds a damaged result"):
        store.find(Query())


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("", "--store names no store"),
        (".", "is a folder"),
        ("gone/s.db", "The folder of the store gone/s.db does not exist"),
        ("gone.db", "does not exist; fill one with: affnet bench MODEL --store gone.db"),
        ("nosuch://host/db", "cannot be used: Can't load plugin"),
        ("://", "is no path and no URL of a database"),
    ],
)
def test_targets_that_cannot_be_a_store(
    target: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as refused:
        Store(target, create=False)
    assert why in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def start(path: Path, code: str) -> subprocess.Popen[bytes]:
    """Run code in a process of its own, with ``path`` at hand."""
    preamble = f"""
    import os
    from affnet.bench.store.database import Query, Store
    from tests.bench.store.test_database import run_of
    path = {str(path)!r}
    """
    program = textwrap.dedent(preamble) + textwrap.dedent(code)
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)


def test_processes_that_write_a_new_store_at_once_lose_nothing(path: Path) -> None:
    code = """
    for number in range(40):
        with Store(path) as store:  # each opens it anew, as commands do
            for model in ("shared", str(os.getpid())):
                store.add([run_of(1, model=model, session=str(number))])
    """
    writers = [start(path, code) for _ in range(3)]
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with Store(str(path)) as store:
        assert len(store.find(Query(models=("shared",)))) == 40
        assert len(store.find(Query())) == 40 + 3 * 40


def test_a_writer_killed_in_its_transaction_costs_that_run_only(path: Path) -> None:
    with Store(str(path)) as store:
        store.add([FULL])
    code = """
    import sqlalchemy
    def stop(*_):
        print("inserted", flush=True)
        while True: pass
    store = Store(path)
    sqlalchemy.event.listen(store._engine, "commit", stop)
    store.add([run_of(2), run_of(3)])
    """
    writer = start(path, code)
    assert writer.stdout is not None
    while writer.stdout.readline().strip() != b"inserted":
        assert writer.poll() is None
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=60)
    with Store(str(path)) as store:
        assert store.find(Query()) == [FULL]
        assert store.add([run_of(4)]) == 1


def test_threads_may_add_at_once(path: Path) -> None:
    with Store(str(path)) as store:
        threads = [threading.Thread(target=store.add, args=([run_of(day)],)) for day in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.find(Query()) == [run_of(day) for day in range(1, 9)]


def test_a_full_disk_is_told_and_does_not_end_measuring(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_recorder(str(path)) as recorder:
        store = recorder._store
        assert store is not None

        def limit(connection: sqlite3.Connection, *_: object) -> None:
            connection.execute("PRAGMA max_page_count = 1").close()  # what it has is kept

        store._engine.dispose()
        sqlalchemy.event.listen(store._engine, "connect", limit)
        recorder.keep([run_of(1, limits=tuple(f"{i * 7919 % 10007}" for i in range(30_000)))])
        assert recorder.exit_code == OutputError.exit_code
        assert f"No space is left for the store {path}; free some." in capsys.readouterr().err
    with Store(str(path)) as again:
        assert again.find(Query()) == []
