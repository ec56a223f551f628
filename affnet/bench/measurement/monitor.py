"""The device's state while it is measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from affnet.bench.measurement.cool_down import wait_until_fit
from affnet.devices.base import Device


class StateMonitor:
    """Looks at a device's state while it is measured, between turns and not too often."""

    def __init__(
        self, device: Device, every_seconds: float | None, cooling_seconds: float = 0.0
    ) -> None:
        self._device, self._every = device, every_seconds
        self._cooling_s = cooling_seconds
        self._begun = time.monotonic()
        self._last = 0.0
        self._seen: list[dict[str, Any]] = []

    def elapsed(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self._begun

    def sample(self) -> None:
        """Look, if it is time to."""
        now = self.elapsed()
        if self._every is not None and now - self._last >= self._every:
            self._last = now
            self._seen.append({"seconds": round(now, 1), **self._device.conditions()})

    def await_fitness(self, progress: Callable[[str], None]) -> None:
        """Wait for a device that is too hot or empty, unless heat is what is looked for."""
        if self._every is None:
            self._cooling_s += wait_until_fit(self._device, progress)

    def record(self) -> dict[str, Any]:
        """Return what was seen, and how long turns had to wait."""
        found: dict[str, Any] = {} if self._every is None else {"during": self._seen}
        return found | ({"cooling_seconds": round(self._cooling_s, 1)} if self._cooling_s else {})
