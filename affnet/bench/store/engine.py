"""Reaching the database behind a store: which one a text means, and what its errors mean."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool, StaticPool

from affnet.bench.store.patience import connect_options, limit_answers
from affnet.errors import (
    AffnetError,
    OutputError,
    StoreError,
    StoreLostError,
    first_line,
    require,
)

MEMORY = "sqlite://"  # a store that ends with the process
_PATIENCE_S = 30  # for other writers
_SCHEMES = ("postgres", "postgresql")
_WRITING = "affnet_writing"


def make_engine(target: str, *, create: bool) -> tuple[sql.Engine, str]:
    """Return an engine for a path or URL, and what to call it in a message: without a password.

    Raises:
        StoreError: it cannot be a store; or there is none, and ``create`` is off.
        MissingError: the database's driver is not installed.
    """
    if not target:
        raise StoreError("--store names no store", "give a path, or a URL such as postgresql://.")
    try:
        url = sql.make_url(target) if "://" in target else sql.URL.create("sqlite", database=target)
    except ArgumentError as error:
        raise StoreError(f"The store {target!r} is no path and no URL of a database.") from error
    name = target if "://" not in target else url.render_as_string(hide_password=True)
    if url.drivername in _SCHEMES:
        require("psycopg", extra="postgresql", purpose="A store in PostgreSQL")
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        try:
            return _engine_of_server(url, name), name
        except (NoSuchModuleError, ImportError) as error:
            raise StoreError(f"The store {name} cannot be used: {first_line(error)}.") from error
    options: dict[str, Any] = {"isolation_level": None, "timeout": _PATIENCE_S}
    if url.database in (None, "", ":memory:"):
        options["check_same_thread"] = False
        engine = sql.create_engine(url, connect_args=options, poolclass=StaticPool)
    else:
        _check_path(Path(str(url.database)), create)
        engine = sql.create_engine(url, connect_args=options)
    sql.event.listen(engine, "connect", _let_readers_and_writers_meet)
    sql.event.listen(engine, "begin", _begin)
    return engine, name


def _engine_of_server(url: sql.URL, name: str) -> sql.Engine:
    """Return an engine that connects for each transaction, as minutes of measuring lie between."""
    if url.get_backend_name() != "postgresql":
        return sql.create_engine(url, poolclass=NullPool)
    engine = sql.create_engine(url, poolclass=NullPool, connect_args=connect_options(url))
    limit_answers(engine, name)
    return engine


def writing(engine: sql.Engine) -> contextlib.AbstractContextManager[sql.Connection]:
    """Begin a transaction that writes: it waits for others before it reads anything."""
    return engine.execution_options(**{_WRITING: True}).begin()


@contextmanager
def translating_errors(name: str) -> Iterator[None]:
    """Turn a database's errors into one sentence each.

    Raises:
        StoreError: it is damaged, or no store.
        StoreLostError: it is in use or out of reach.
        OutputError: its disk is full.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _sentence(error, name) from error


def _sentence(error: Exception, name: str) -> AffnetError:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    reason = first_line(cause)
    if isinstance(cause, sqlite3.Error):
        if "full" in reason:
            return OutputError(f"No space is left for the store {name}", "free some.")
        if "locked" in reason:
            return StoreLostError(
                f"Another process has been writing to the store {name} for {_PATIENCE_S} s",
                "try again.",
            )
        if "not a database" in reason or "malformed" in reason:
            return StoreError(
                f"{name} is damaged, or no store of results: {reason}",
                "restore it from a copy, or name another with --store.",
            )
    elif isinstance(error, OperationalError | InterfaceError):
        return StoreLostError(f"The store {name} cannot be used: {reason}.")
    return StoreError(f"The store {name} cannot be used: {reason}.")


def _check_path(path: Path, create: bool) -> None:
    if path.is_dir():
        raise StoreError(f"The store {path} is a folder", "name a file.")
    if path.exists() and not path.is_file():
        raise StoreError(f"The store {path} is a pipe or a device", "name a file.")
    if not path.parent.is_dir():
        raise StoreError(f"The folder of the store {path} does not exist", "make it first.")
    if not create and not path.is_file():
        raise StoreError(
            f"The store {path} does not exist", f"fill one with: affnet bench MODEL --store {path}"
        )


def _let_readers_and_writers_meet(connection: sqlite3.Connection, _: object) -> None:
    # Where this fails, for a file that may only be read or while another process does the same,
    # the store works as well, one at a time.
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode=WAL").close()


def _begin(connection: sql.Connection) -> None:
    # one that starts by reading could not go on to write once another has written
    writes = connection.get_execution_options().get(_WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
