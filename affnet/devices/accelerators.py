"""The setting ``accelerator`` of devices on which our own worker runs."""

from __future__ import annotations

from typing import Any

from affnet.devices.base import Capabilities
from affnet.errors import CatalogError
from affnet.placement import CPU


def check_name(name: str, accelerator: str, capabilities: Capabilities) -> None:
    """Raise `CatalogError` unless devices of a kind may have what the setting names."""
    if accelerator not in (valid := capabilities.accelerators):
        listed = f"{', '.join(valid[:-1])} or {valid[-1]}"
        raise CatalogError(f"{name}: accelerator must be {listed}.")


def fingerprint_of(accelerator: str) -> dict[str, Any]:
    """Return what a unit other than the CPU adds to a device's fingerprint."""
    return {} if accelerator == CPU else {"accelerator": accelerator}


def described(accelerator: str, threads: int) -> str:
    """Say what a plan's step computes on."""
    return f"{threads} thread(s)" if accelerator == CPU else f"the {accelerator.upper()}"
