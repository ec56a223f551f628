"""What a device's measurement gave: results, or the error that ended it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from affnet.bench.results.result import Result
from affnet.errors import AffnetError


@dataclass(frozen=True)
class DeviceOutcome:
    """What came of one device: results, or the error that ended it."""

    device: str
    results: list[Result] = field(default_factory=list)
    error: AffnetError | None = None


def exit_code(outcomes: Sequence[DeviceOutcome]) -> int:
    """Return 0 if no device failed, the errors' exit code if they agree on it, else 1."""
    codes = {outcome.error.exit_code for outcome in outcomes if outcome.error}
    if not codes:
        return 0
    return codes.pop() if len(codes) == 1 else 1
