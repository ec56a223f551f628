"""Devices: where a measurement happens.

A kind of device is one file here and one line in `DEVICES`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from affnet.artifact import Artifact
from affnet.errors import UnknownNameError

DEVICES: dict[str, str] = {
    "host": "affnet.devices.host:HostDevice",
}


@dataclass(frozen=True)
class Startup:
    """What a measuring process reports once its model is loaded and has run once."""

    load_ns: int
    first_inference_ns: int
    runtime_version: str


class MeasuringProcess(Protocol):
    """A fresh process that holds one loaded artifact and waits, idle, between its runs."""

    startup: Startup

    def run(self, iterations: int, discard: int = 0) -> Sequence[int]:
        """Run inference ``discard + iterations`` times; return the last ``iterations`` in ns."""
        ...

    def peak_rss_bytes(self) -> int:
        """Return the largest resident memory the process has had so far."""
        ...


class Device(Protocol):
    """A place that can run artifacts."""

    kind: ClassVar[str]

    def fingerprint(self) -> dict[str, Any]:
        """Describe the hardware and system: what may not differ between comparable results."""
        ...

    def conditions(self) -> dict[str, Any]:
        """Describe its state now: load, frequency governor, temperature, where readable."""
        ...

    def start(
        self, artifact: Artifact, runtime: str, threads: int
    ) -> AbstractContextManager[MeasuringProcess]:
        """Load ``artifact`` in a fresh process.

        Raises:
            MissingError: the runtime is not installed there.
            MeasurementError: the process failed, hung or returned nonsense.
        """
        ...


def get_device(name: str) -> Device:
    """Return the device called ``name``."""
    if name not in DEVICES:
        raise UnknownNameError("device", name, DEVICES)
    module, _, attribute = DEVICES[name].partition(":")
    device: Device = getattr(importlib.import_module(module), attribute)()
    return device
