"""How a device fared over time: what failed, what was throttled, and how much its numbers vary."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sql

from affnet.bench.results.comparability import MeasurementConditions
from affnet.bench.results.ratios import median_interval
from affnet.bench.results.result import Result
from affnet.bench.store.database import Store
from affnet.bench.store.failures import Failure, newest_failures
from affnet.bench.store.schema import FAILURES
from affnet.errors import ResultsError

_SESSIONS = 3  # of one file, from which on it is said how much they differ


@dataclass(frozen=True)
class Health:
    """What a device's results and failures of some time show."""

    device: str
    results: int
    sessions: int
    last_seen: str  # UTC, ISO 8601
    failures: tuple[Failure, ...] = ()
    doubts: dict[str, int] = field(default_factory=dict)  # why results are not valid, how often
    not_valid: int = 0
    throttled: int = 0  # results whose device slowed down for heat
    hottest_celsius: float | None = None
    cooling_seconds: float = 0.0  # that turns waited
    noise: float | None = None  # the half width of a median's interval, typically, as a fraction
    drift: float | None = None  # how far a file's medians of several sessions lie from their middle

    @classmethod
    def of(cls, device: str, results: Sequence[Result], failures: Sequence[Failure]) -> Health:
        """Return what results and failures of one device show, of which there is at least one."""
        seen = [result.recorded_at for result in results] + [one.recorded_at for one in failures]
        heats = [heat for result in results for heat in _heats(result)]
        return cls(
            device=device,
            results=len(results),
            sessions=len({result.session for result in results}),
            last_seen=max(seen),
            failures=tuple(failures),
            doubts=dict(Counter(d for r in results for d in r.validity_reasons).most_common()),
            not_valid=sum(not result.valid for result in results),
            throttled=sum(map(_throttled, results)),
            hottest_celsius=max(heats, default=None),
            cooling_seconds=sum(r.environment.get("cooling_seconds", 0.0) for r in _once(results)),
            noise=_median(_noises(results)),
            drift=_median(_drifts(results)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the machine-readable form."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class DeviceHistory:
    """A device's health on the whole, and day by day, oldest first."""

    total: Health
    days: dict[str, Health]


def history(store: Store, devices: Sequence[str], last: int) -> list[DeviceHistory]:
    """Return the histories of some devices, or of all, from the newest ``last`` results of each.

    Raises:
        ResultsError: the store has nothing, or nothing of one of them.
    """
    known = _devices(store)
    if not known:
        raise ResultsError(
            f"{store.name} holds no results",
            f"measure some with: affnet bench MODEL --store {store.name}",
        )
    for name in devices:
        if name not in known:
            raise ResultsError(
                f"{store.name} holds nothing of the device {name!r}; it has: {', '.join(known)}."
            )
    return [_history(store, name, last) for name in dict.fromkeys(devices or known)]


def _history(store: Store, device: str, last: int) -> DeviceHistory:
    results = store.newest(device, last)
    failures = newest_failures(store, device, last)
    seen = [*(one.recorded_at for one in results), *(one.recorded_at for one in failures)]
    return DeviceHistory(
        Health.of(device, results, failures),
        {
            day: Health.of(
                device,
                [result for result in results if result.recorded_at[:10] == day],
                [failure for failure in failures if failure.recorded_at[:10] == day],
            )
            for day in sorted({moment[:10] for moment in seen})
        },
    )


def _devices(store: Store) -> list[str]:
    names = set(store.devices())
    with store.transaction() as connection:
        names.update(connection.scalars(sql.select(FAILURES.c.device).distinct()))
    return sorted(names)


def _once(results: Sequence[Result]) -> Iterator[Result]:
    """Yield one result of each session, as what its environment holds is the same in all."""
    for _, found in itertools.groupby(results, lambda result: result.session):
        yield next(found)


def _states(result: Result) -> Iterator[dict[str, Any]]:
    """Yield the device's state before, during and after a measurement."""
    environment = result.environment
    yield environment.get("before", {})
    yield from environment.get("during", ())
    yield environment.get("after", {})


def _heats(result: Result) -> Iterator[float]:
    for state in _states(result):
        if isinstance(heat := state.get("temperature_celsius"), int | float):
            yield float(heat)


def _throttled(result: Result) -> bool:
    if (curve := result.sustained) is not None:
        return curve.throttled
    return any((state.get("thermal_status") or "none") != "none" for state in _states(result))


def _noises(results: Sequence[Result]) -> Iterator[float]:
    for result in results:
        interval = median_interval(result)
        half = (interval.high - interval.low) / 2 / interval.value
        if math.isfinite(half):
            yield half


def _drifts(results: Sequence[Result]) -> Iterator[float]:
    """Yield how far each median lies from that of all sessions of the same file."""
    kinds: dict[tuple[str, ...], list[float]] = {}
    for result in results:
        conditions = MeasurementConditions.of(result).key()
        kind = (result.artifact_sha256, result.runtime, result.runtime_version, conditions)
        kinds.setdefault(kind, []).append(result.summary().median)
    for medians in kinds.values():
        if len(medians) >= _SESSIONS:
            middle = statistics.median(medians)
            yield from (abs(median / middle - 1) for median in medians)


def _median(values: Iterator[float]) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None
