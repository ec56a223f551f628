"""A service that measures by itself, where other devices lend a process."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from affnet.artifact import Artifact
from affnet.devices.base import Device, QualifiedProcess


@runtime_checkable
class HostedDevice(Device, Protocol):
    """A `Device` of a service that runs a file as a whole job; its `start` refuses."""

    def measured(self, artifact: Artifact, runtime: str) -> QualifiedProcess:
        """Have ``artifact`` measured, within a session.

        Returns:
            A process that has made its runs, all of which its `run` returns whatever it is asked.

        Raises:
            MeasurementError: the job was rejected, or failed.
        """
        ...
