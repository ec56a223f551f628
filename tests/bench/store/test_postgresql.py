"""The store in PostgreSQL: a real server of the test's own."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from affnet.bench.store import patience, recorder
from affnet.bench.store.database import Query, Store
from affnet.bench.store.recorder import open_recorder
from affnet.bench.store.schema import MIGRATIONS, Migration
from affnet.errors import MissingError, StoreError, StoreLostError
from tests.bench.store import postgresql
from tests.bench.store.test_database import FULL, run_of, start

pytestmark = pytest.mark.skipif(postgresql.INITDB is None, reason=postgresql.WITHOUT_POSTGRESQL)


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Server]:
    with postgresql.server() as one:
        yield one


@pytest.fixture
def url(server: postgresql.Server) -> Iterator[str]:
    """An empty database."""
    yield server.url
    engine = sqlalchemy.create_engine(server.url.replace("://", "+psycopg://"))
    with engine.begin() as connection:
        for table in ("affnet_results", "affnet_failures", "affnet_schema"):
            connection.execute(sqlalchemy.text(f"DROP TABLE IF EXISTS {table}"))
    engine.dispose()


def test_results_come_back_and_are_kept_once(url: str) -> None:
    with Store(url) as store:
        assert store.add([run_of(2), FULL, FULL]) == 2
    with Store(url, create=False) as store:
        assert store.add([FULL]) == 0
        assert store.find(Query()) == [FULL, run_of(2)]
        store.add([run_of(3)])
        assert store.find(Query(models=("one",), last=1)) == [FULL, run_of(3)]  # other samples
        assert store.of_sessions(["s1"], "one") == [FULL]
        assert (store.models(), store.devices()) == (["one"], ["fake"])


def test_processes_that_write_a_new_store_at_once_lose_nothing(url: str) -> None:
    code = """
    for number in range(20):
        with Store(path) as store:
            for model in ("shared", str(os.getpid())):
                store.add([run_of(1, model=model, session=str(number))])
    """
    writers = [start(url, code) for _ in range(3)]
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with Store(url) as store:
        assert len(store.find(Query())) == 20 + 3 * 20


def test_threads_that_add_the_same_results_add_them_once(url: str) -> None:
    results = [run_of(day) for day in range(1, 20)]
    with Store(url) as store:
        added: list[int] = []
        threads = [
            threading.Thread(target=lambda: added.append(store.add(results))) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(added) == [0] * 5 + [19]
        assert store.find(Query()) == results


def test_an_older_store_is_migrated_and_a_newer_one_refused(url: str) -> None:
    with Store(url) as store:
        store.add([FULL])
    version = len(MIGRATIONS)
    second = Migration(version + 1, ("ALTER TABLE affnet_results ADD COLUMN place {bytes}",))
    with Store(url, migrations=(*MIGRATIONS, second)) as store:
        assert store.find(Query()) == [FULL]
    with pytest.raises(
        StoreError, match=rf"has schema {version + 1}, .* up to {version};"
    ) as refused:
        Store(url)
    assert "secret" not in str(refused.value)


def test_a_server_that_does_not_answer_is_one_sentence_without_the_password(
    tmp_path: Path,
) -> None:
    with pytest.raises(StoreLostError, match="cannot be used: connection") as refused:
        Store(f"postgresql://tester:secret@/postgres?host={tmp_path}")
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_server_that_accepts_and_says_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "CONNECT_TIMEOUT_S", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://tester:secret@127.0.0.1:{silent.getsockname()[1]}/postgres"
        with pytest.raises(StoreLostError, match="timeout") as refused:
            Store(url)
        assert refused.value.exit_code == 1
        assert "secret" not in str(refused.value)
        monkeypatch.setattr(patience, "CONNECT_TIMEOUT_S", 3600)
        with pytest.raises(StoreLostError, match="timeout"):
            Store(f"{url}?connect_timeout=2")  # what the URL says wins


def test_the_environment_may_say_how_long_connecting_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    url = sqlalchemy.make_url("postgresql+psycopg://host/x")
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
    assert patience.connect_options(url) == {"connect_timeout": 10}
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "30")
    assert patience.connect_options(url) == {}


def test_a_statement_without_an_answer_is_given_up(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = sqlalchemy.create_engine(url.replace("://", "+psycopg://"))
    with Store(url) as store:
        store.add([FULL])
        with engine.begin() as other:
            other.execute(sqlalchemy.text("LOCK TABLE affnet_results"))
            monkeypatch.setattr(patience, "ANSWER_TIMEOUT_S", 0.4)
            with pytest.raises(StoreLostError) as refused:
                store.find(Query())
        assert refused.value.exit_code == 1
        assert str(refused.value).endswith(" gave no answer for 0 s; try again.")
        assert "secret" not in str(refused.value)
        monkeypatch.undo()
        assert store.find(Query()) == [FULL]  # by a connection of its own
    engine.dispose()


def test_a_server_that_stops_is_no_wrong_use(url: str) -> None:
    engine = sqlalchemy.create_engine(url.replace("://", "+psycopg://"))
    with Store(url) as store:
        store.add([FULL])

        def end(connection: sqlalchemy.Connection, *_: object) -> None:
            process = connection.connection.dbapi_connection.info.backend_pid  # type: ignore
            with engine.begin() as other:
                other.execute(sqlalchemy.text(f"SELECT pg_terminate_backend({process})"))

        sqlalchemy.event.listen(store._engine, "before_cursor_execute", end)
        with pytest.raises(StoreLostError, match=r"cannot be used: .*terminating") as lost:
            store.find(Query())
        assert lost.value.exit_code == 1
    engine.dispose()


def test_what_a_killed_server_has_not_taken_is_added_once_it_answers(
    server: postgresql.Server,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(recorder, "_PAUSE_S", 0.1)
    with open_recorder(url) as one:
        one.keep([run_of(1)])
        server.kill()
        one.keep([run_of(2)])
        assert "these results are added as soon as it answers" in capsys.readouterr().err
        again = threading.Thread(target=server.start)
        again.start()
    again.join()
    assert one.exit_code == 0
    with Store(url) as store:
        assert store.find(Query()) == [run_of(1), run_of(2)]


def test_what_a_server_never_takes_is_an_error(
    server: postgresql.Server,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(recorder, "_PATIENCE_S", 0.2)
    with open_recorder(url) as one:
        server.kill()
        one.keep([run_of(1)])
    server.start()
    assert one.exit_code == StoreLostError.exit_code
    assert "These results are not in the store." in capsys.readouterr().err


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingError, match=r"pip install 'affnet\[postgresql\]'"):
        Store("postgresql://localhost/x")
