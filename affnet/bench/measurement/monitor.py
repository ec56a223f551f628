"""The device's state while it is measured."""

from __future__ import annotations

import time
from typing import Any

from affnet.devices.base import Device


class StateMonitor:
    """Looks at a device's state while it is measured, between turns and not too often."""

    def __init__(self, device: Device, every_seconds: float | None) -> None:
        self._device, self._every = device, every_seconds
        self._begun = time.monotonic()
        self._last = 0.0
        self.seen: list[dict[str, Any]] = []

    def elapsed(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self._begun

    def sample(self) -> None:
        """Look, if it is time to."""
        now = self.elapsed()
        if self._every is not None and now - self._last >= self._every:
            self._last = now
            self.seen.append({"seconds": round(now, 1), **self._device.conditions()})
