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
        ranked = sql.select(columns.id, _rank())
        for column, wanted in ((columns.model, query.models), (columns.device, query.devices)):
            if wanted:
                ranked = ranked.where(column.in_(wanted))
        found = ranked.subquery()
        select = sql.select(columns.record, columns.samples).join(found, found.c.id == columns.id)
        if query.last:
            select = select.where(found.c.rank <= query.last)
        return self._read(select.order_by(columns.model, columns.recorded_at, columns.id))

    def each(self, query: Query) -> Iterator[Result]:
        """Yield results, oldest first, a few hundred at a time; those of ``last`` are not known."""
        columns = RESULTS.c
        order = (columns.recorded_at, columns.id)
        select = sql.select(columns.record, columns.samples, *order).order_by(*order)
        for column, wanted in ((columns.model, query.models), (columns.device, query.devices)):
            if wanted:
                select = select.where(column.in_(wanted))
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
        columns = RESULTS.c
        ranked = sql.select(columns.id, columns.recorded_at, _rank()).subquery()
        old = sql.select(ranked.c.id).where(ranked.c.rank > keep, ranked.c.recorded_at < before)
        with translating_errors(self.name), writing(self._engine) as connection:
            if dry_run:
                counted = connection.scalar(
                    sql.select(sql.func.count()).select_from(old.subquery())
                )
                return int(counted or 0)
            return connection.execute(sql.delete(RESULTS).where(columns.id.in_(old))).rowcount

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
            return list(connection.scalars(sql.select(column).distinct().order_by(column)))

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


def _rank() -> sql.Label[int]:
    """Return the place of a result among those of its kind, 1 for the newest."""
    columns = RESULTS.c
    kind = (columns.model, columns.traits, columns.runtime, columns.precision)
    newest = (columns.recorded_at.desc(), columns.id)
    return sql.func.row_number().over(partition_by=kind, order_by=newest).label("rank")


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
