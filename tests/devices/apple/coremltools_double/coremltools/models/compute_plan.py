from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MLComputePlanDeviceUsage:
    preferred_compute_device: Any
    supported_compute_devices: list[Any]
