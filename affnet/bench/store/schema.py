"""The tables of a store of results, and how an older store becomes a newer one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sql

from affnet.errors import StoreError


@dataclass(frozen=True)
class Migration:
    """The step to one version of the schema; ``{bytes}`` is the database's type for them."""

    version: int
    statements: tuple[str, ...]


#: In order.  One that was released is never changed: stores that took it exist.
MIGRATIONS = (
    Migration(
        1,
        (
            """CREATE TABLE affnet_results (
                id VARCHAR(64) NOT NULL PRIMARY KEY,
                model VARCHAR(1000) NOT NULL,
                device VARCHAR(1000) NOT NULL,
                runtime VARCHAR(100) NOT NULL,
                threads INTEGER NOT NULL,
                "precision" VARCHAR(100) NOT NULL,
                git_commit VARCHAR(100) NOT NULL,
                recorded_at VARCHAR(40) NOT NULL,
                artifact_sha256 VARCHAR(64) NOT NULL,
                session VARCHAR(100) NOT NULL,
                traits VARCHAR(64) NOT NULL,
                record {bytes} NOT NULL,
                samples {bytes} NOT NULL
            )""",
            # all that finding the newest of each kind needs, so that no row is read for it
            "CREATE INDEX affnet_results_newest ON affnet_results "
            '(model, traits, runtime, "precision", recorded_at, id, device)',
            "CREATE INDEX affnet_results_session ON affnet_results (session, model)",
            "CREATE INDEX affnet_results_device ON affnet_results (device)",
            "CREATE INDEX affnet_results_runtime ON affnet_results (runtime, threads)",
            "CREATE INDEX affnet_results_commit ON affnet_results (git_commit)",
            "CREATE INDEX affnet_results_recorded ON affnet_results (recorded_at)",
            "CREATE INDEX affnet_results_artifact ON affnet_results (artifact_sha256)",
        ),
    ),
    Migration(
        2,
        (
            """CREATE TABLE affnet_failures (
                id VARCHAR(64) NOT NULL PRIMARY KEY,
                device VARCHAR(1000) NOT NULL,
                recorded_at VARCHAR(40) NOT NULL,
                error VARCHAR(100) NOT NULL,
                reason VARCHAR(1000) NOT NULL
            )""",
            "CREATE INDEX affnet_failures_newest ON affnet_failures (device, recorded_at)",
            # the newest of a device, and which devices there are, without reading other rows
            "CREATE INDEX affnet_results_of_device ON affnet_results (device, recorded_at, id)",
        ),
    ),
)

_metadata = sql.MetaData()

VERSIONS = sql.Table("affnet_schema", _metadata, sql.Column("version", sql.Integer, nullable=False))

RESULTS = sql.Table(
    "affnet_results",
    _metadata,
    sql.Column("id", sql.String(64), primary_key=True),
    *(
        sql.Column(name, sql.Integer if name == "threads" else sql.String, nullable=False)
        for name in (
            "model", "device", "runtime", "threads", "precision", "git_commit", "recorded_at",
            "artifact_sha256", "session", "traits",
        )
    ),
    sql.Column("record", sql.LargeBinary, nullable=False),
    sql.Column("samples", sql.LargeBinary, nullable=False),
)  # fmt: skip

FAILURES = sql.Table(
    "affnet_failures",
    _metadata,
    sql.Column("id", sql.String(64), primary_key=True),
    *(
        sql.Column(name, sql.String, nullable=False)
        for name in ("device", "recorded_at", "error", "reason")
    ),
)

_LOCK = 4_706_114  # of PostgreSQL: any number that nobody else takes


def version_of(connection: sql.Connection) -> int:
    """Return the version of a store's schema, 0 for a new store."""
    if not sql.inspect(connection).has_table(VERSIONS.name):
        return 0
    return connection.scalar(sql.select(sql.func.max(VERSIONS.c.version))) or 0


def check_version(version: int, store: str, migrations: Sequence[Migration]) -> bool:
    """Return whether a store of this version needs migrating.

    Raises:
        StoreError: it is of a newer affnet.
    """
    newest = migrations[-1].version
    if version > newest:
        raise StoreError(
            f"The store {store} has schema {version}, this version of affnet knows up to {newest}",
            "update affnet, or name another store.",
        )
    return version < newest


def migrate(connection: sql.Connection, store: str, migrations: Sequence[Migration]) -> None:
    """Take the steps that a store lacks, within the connection's transaction.

    Raises:
        StoreError: it is of a newer affnet.
    """
    if connection.dialect.name == "postgresql":  # of several that start at once, one migrates
        connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_LOCK)))
    version = version_of(connection)
    check_version(version, store, migrations)
    if version == 0:
        VERSIONS.create(connection)
    column = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    for migration in migrations:
        if migration.version > version:
            for statement in migration.statements:
                connection.execute(sql.text(statement.replace("{bytes}", column)))
            connection.execute(sql.insert(VERSIONS).values(version=migration.version))
