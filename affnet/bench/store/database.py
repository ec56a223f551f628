"""Results of many runs in a database: a SQLite file, or a server that several machines share."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from affnet.bench.results.comparability import MeasurementConditions
from affnet.bench.results.result import Result
from affnet.bench.store.engine import MEMORY, make_engine, translating_errors, writing
from affnet.bench.store.schema import (
    MIGRATIONS,
    RESULTS,
    Migration,
    check_version,
    migrate,
    version_of,
)
from affnet.errors import StoreError

_AT_ONCE = 500  # values in one statement
#: What the results of a model share that stand in one history; the model is the index's first.
_KIND = (RESULTS.c.traits, RESULTS.c.runtime, RESULTS.c.precision)
_ALWAYS = sql.true()
_AGE = (RESULTS.c.recorded_at, RESULTS.c.id)
_NEWEST = tuple(column.desc() for column in _AGE)


@dataclass(frozen=True)
class Query:
    """Which results are wanted; an empty tuple means any."""

    models: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    last: int = 0  # the newest so many of each model, runtime and precision, per group; 0: all


class Store:
    """A database of results.  It may be used from several threads and processes at once."""

    def __init__(
        self,
        target: str = MEMORY,
        *,
        create: bool = True,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        """Open a store, a path of a SQLite file or a URL of a database; migrate an older one.

        Raises:
            StoreError: it cannot be opened, or there is none and ``create`` is off.
            StoreLostError: it does not answer, or another process keeps it.
            MissingError: the database's driver is not installed.
        """
        self._engine, self.name = make_engine(target, create=create)
        try:
            with translating_errors(self.name):
                with self._engine.begin() as connection:
                    version = version_of(connection)
                if check_version(version, self.name, migrations):
                    with writing(self._engine) as connection:
                        migrate(connection, self.name, migrations)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def transaction(self, *, writes: bool = False) -> Iterator[sql.Connection]:
        """Begin a transaction, of which all or nothing is done.

        Raises:
            StoreError, StoreLostError: as when it is opened.
        """
        begin = writing(self._engine) if writes else self._engine.begin()
        with translating_errors(self.name), begin as connection:
            yield connection

    def newest(self, device: str, last: int) -> list[Result]:
        """Return the newest ``last`` results of a device, oldest first."""
        columns = RESULTS.c
        newest = (
            sql.select(columns.id)
            .where(columns.device == device)
            .order_by(columns.recorded_at.desc(), columns.id)
            .limit(last)
            .subquery()
        )
        select = sql.select(columns.record, columns.samples).join(newest, newest.c.id == columns.id)
        return self._read(select.order_by(columns.recorded_at, columns.session, columns.id))

    def add(self, results: Iterable[Result]) -> int:
        """Add results, all or none of them; return how many were not there before.

        Raises:
            StoreError: the database does not take them.
            StoreLostError: as when it is opened.
        """
        rows = {row["id"]: row for row in map(_row, results)}
        with translating_errors(self.name):
            try:
                return self._add_new(rows)
            except IntegrityError:  # another process added one of them after our look
                return self._add_new(rows)

    def find(self, query: Query) -> list[Result]:
        """Return results by model, oldest first."""
        columns = RESULTS.c
        select = sql.select(
            columns.record, columns.samples, columns.model, columns.recorded_at, columns.id
        )
        with translating_errors(self.name), self._engine.begin() as connection:
            if not query.last:
                rows = connection.execute(_matching(select, query)).all()
            else:
                rows = [
                    row
                    for kind in _kinds(connection, query.models)
                    for row in connection.execute(
                        _matching(select, query).where(kind).order_by(*_NEWEST).limit(query.last)
                    )
                ]
        return self._results(sorted(rows, key=lambda row: (row.model, row.recorded_at, row.id)))

    def each(self, query: Query) -> Iterator[Result]:
        """Yield results, oldest first, a few hundred at a time; those of ``last`` are not known."""
        columns = RESULTS.c
        order = (columns.recorded_at, columns.id)
        select = sql.select(columns.record, columns.samples, *order).order_by(*order)
        select = _matching(select, query)
        after: tuple[str, str] | None = None
        while True:
            part = (
                select if after is None else select.where(sql.tuple_(*order) > sql.tuple_(*after))
            )
            with translating_errors(self.name), self._engine.begin() as connection:
                rows = connection.execute(part.limit(_AT_ONCE)).all()
            yield from self._results(rows)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].recorded_at, rows[-1].id

    def prune(self, before: str, keep: int, *, dry_run: bool = False) -> int:
        """Remove the results of before a time; return how many they are.

        The newest ``keep`` of each model, runtime, precision and set of conditions stay, however
        old they are.  With ``dry_run`` all stay.
        """
        removed = 0
        with translating_errors(self.name), writing(self._engine) as connection:
            for kind in _kinds(connection, ()):
                old = sql.and_(kind, RESULTS.c.recorded_at < before)
                if keep:
                    newest = sql.select(*_AGE).where(kind).order_by(*_NEWEST)
                    last = connection.execute(newest.offset(keep - 1).limit(1)).first()
                    if last is None:
                        continue
                    old = sql.and_(old, sql.tuple_(*_AGE) < sql.tuple_(*last))
                if dry_run:
                    counted = sql.select(sql.func.count()).select_from(RESULTS).where(old)
                    removed += connection.scalar(counted) or 0
                else:
                    removed += connection.execute(sql.delete(RESULTS).where(old)).rowcount
        return removed

    def of_sessions(self, sessions: Iterable[str], model: str) -> list[Result]:
        """Return a model's results of some sessions."""
        listed = sorted(set(sessions) - {""})
        found = []
        for start in range(0, len(listed), _AT_ONCE):
            part = listed[start : start + _AT_ONCE]
            found += self._read(
                sql.select(RESULTS.c.record, RESULTS.c.samples)
                .where(RESULTS.c.session.in_(part), RESULTS.c.model == model)
                .order_by(RESULTS.c.recorded_at, RESULTS.c.id)
            )
        return found

    def models(self) -> list[str]:
        """Return the names of the models that results are of."""
        return self._distinct(RESULTS.c.model)

    def devices(self) -> list[str]:
        """Return the names of the devices that results are of."""
        return self._distinct(RESULTS.c.device)

    def _distinct(self, column: sql.Column[str]) -> list[str]:
        with translating_errors(self.name), self._engine.begin() as connection:
            return [value for (value,) in _distinct(connection, column)]

    def _add_new(self, rows: dict[str, dict[str, Any]]) -> int:
        with writing(self._engine) as connection:
            known: set[str] = set()
            ids = list(rows)
            for start in range(0, len(ids), _AT_ONCE):
                part = RESULTS.c.id.in_(ids[start : start + _AT_ONCE])
                known.update(connection.scalars(sql.select(RESULTS.c.id).where(part)))
            new = [row for key, row in rows.items() if key not in known]
            if new:
                connection.execute(sql.insert(RESULTS), new)
            return len(new)

    def _read(self, select: sql.Select[Any]) -> list[Result]:
        with translating_errors(self.name), self._engine.begin() as connection:
            rows = connection.execute(select).all()
        return self._results(rows)

    def _results(self, rows: Sequence[Any]) -> list[Result]:
        try:
            return [_result(row.record, row.samples) for row in rows]
        except (ValueError, zlib.error) as error:
            raise StoreError(f"The store {self.name} holds a damaged result: {error}.") from error


def _matching(select: sql.Select[Any], query: Query) -> sql.Select[Any]:
    """Return those of a query's models and devices."""
    wanted = ((RESULTS.c.model, query.models), (RESULTS.c.device, query.devices))
    return select.where(*(column.in_(names) for column, names in wanted if names))


def _kinds(connection: sql.Connection, models: Sequence[str]) -> Iterator[sql.ColumnElement[bool]]:
    """Yield a condition for each kind of results: a model under the same conditions."""
    model = RESULTS.c.model
    for name in models or [value for (value,) in _distinct(connection, model)]:
        for values in _distinct(connection, *_KIND, where=model == name):
            same = (column == value for column, value in zip(_KIND, values, strict=True))
            yield sql.and_(model == name, *same)


def _distinct(
    connection: sql.Connection, *columns: sql.Column[str], where: Any = _ALWAYS
) -> list[tuple[str, ...]]:
    """Return the distinct values of columns that an index begins with, by jumps through it.

    What databases make of DISTINCT reads every row, or every entry of the index.
    """
    found: list[tuple[str, ...]] = []
    select = sql.select(*columns).where(where).order_by(*columns).limit(1)
    while True:
        after = [sql.tuple_(*columns) > sql.tuple_(*found[-1])] if found else []
        row = connection.execute(select.where(*after)).first()
        if row is None:
            return found
        found.append(tuple(row))


def _row(result: Result) -> dict[str, Any]:
    """Return a result's row: what is asked for in columns of its own, the rest compressed."""
    record = result.to_json()
    samples = np.asarray(record.pop("samples_ns"), "<i8").tobytes()
    # what cannot be the same of two measurements; not all of it, as fields come and go
    identity = (
        result.session, result.recorded_at, result.device, result.model, result.artifact_sha256,
        result.runtime, result.threads, result.protocol,
    )  # fmt: skip
    fields = {field.name for field in dataclasses.fields(result)}
    return {
        "id": hashlib.sha256(json.dumps(identity).encode() + samples).hexdigest(),
        "traits": MeasurementConditions.of(result).key(),
        "record": zlib.compress(json.dumps(record).encode()),
        "samples": zlib.compress(samples),
        **{name: getattr(result, name) for name in RESULTS.c.keys() if name in fields},  # noqa: SIM118
    }


def _result(record: bytes, samples: bytes) -> Result:
    content = json.loads(zlib.decompress(record))
    content["samples_ns"] = np.frombuffer(zlib.decompress(samples), "<i8").tolist()
    return Result.from_json(content)
