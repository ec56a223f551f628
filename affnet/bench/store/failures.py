"""Devices that failed: what a store keeps of a measurement that gave no result."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sql

from affnet.bench.results.outcome import DeviceOutcome
from affnet.bench.store.database import Store
from affnet.bench.store.schema import FAILURES

_LONGEST = 1000  # characters of a sentence


@dataclass(frozen=True)
class Failure:
    """A device's measurement that ended with an error."""

    device: str
    recorded_at: str  # UTC, ISO 8601
    error: str  # its class
    reason: str  # its sentence


def add_failures(store: Store, outcomes: Iterable[DeviceOutcome]) -> None:
    """Add the errors among ``outcomes``.

    Raises:
        StoreError, StoreLostError: as `Store.add`.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [
        {
            "id": uuid.uuid4().hex,
            "device": outcome.device,
            "recorded_at": now,
            "error": type(outcome.error).__name__,
            "reason": str(outcome.error)[:_LONGEST],
        }
        for outcome in outcomes
        if outcome.error is not None
    ]
    if rows:
        with store.transaction(writes=True) as connection:
            connection.execute(sql.insert(FAILURES), rows)


def newest_failures(store: Store, device: str, last: int) -> Sequence[Failure]:
    """Return the newest ``last`` failures of a device, oldest first."""
    columns = (FAILURES.c.device, FAILURES.c.recorded_at, FAILURES.c.error, FAILURES.c.reason)
    select = (
        sql.select(*columns)
        .where(FAILURES.c.device == device)
        .order_by(FAILURES.c.recorded_at.desc(), FAILURES.c.id)
        .limit(last)
    )
    with store.transaction() as connection:
        rows = connection.execute(select).all()
    return [Failure(*row) for row in reversed(rows)]
