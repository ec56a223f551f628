"""The health of devices, as a table and the reasons below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from affnet.bench.store.health import Health
from affnet.table import Heading, Table, numbers, texts
from affnet.units import PERCENT

_SHOWN = 5  # reasons of each kind


def table(rows: Mapping[str, Health], name: str) -> Table:
    """Return a row for each health, under its key; ``name`` says what the keys are."""
    header: list[Heading] = [
        *texts(name, "last seen"),
        *numbers("sessions", "results", "failed", "not valid", "throttled", "hottest °C"),
        *numbers("waited s", "noise %", "drift %"),
    ]
    return Table(header, [[key, *_cells(health)] for key, health in rows.items()])


def reasons(healths: Sequence[Health]) -> Iterator[str]:
    """Yield why measurements failed and results are not valid, the most frequent first."""
    for health in healths:
        failed = Counter(failure.reason for failure in health.failures)
        for what, found in (("failed", failed), ("not valid", Counter(health.doubts))):
            for reason, count in found.most_common(_SHOWN):
                often = "once" if count == 1 else f"{count} times"
                yield f"{health.device}, {what} {often}: {reason}"
            if (rest := len(found) - _SHOWN) > 0:
                yield f"{health.device}, {what}: {rest} further reasons, see --json"


def _cells(health: Health) -> list[str]:
    heat = health.hottest_celsius
    return [
        health.last_seen[:16].replace("T", " "),
        *map(str, (health.sessions, health.results, len(health.failures))),
        *map(str, (health.not_valid, health.throttled)),
        "-" if heat is None else f"{heat:.0f}",
        f"{health.cooling_seconds:.0f}",
        *("-" if part is None else PERCENT.number(part) for part in (health.noise, health.drift)),
    ]
