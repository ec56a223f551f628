"""The energy of inferences, counted in a pass of its own, after all timing."""

from __future__ import annotations

import dataclasses

from affnet.artifact import Artifact
from affnet.bench.results.result import Result
from affnet.devices.base import Device
from affnet.energy import Energy, EnergyProcess


def with_energy(result: Result, artifact: Artifact, device: Device) -> Result:
    """Return the result with what an inference takes, or with why that is not known."""
    found = _take(artifact, result.runtime, device, result.threads)
    if isinstance(found, Energy):
        return dataclasses.replace(result, energy=found)
    return dataclasses.replace(result, limits=(*result.limits, found))


def _take(artifact: Artifact, runtime: str, device: Device, threads: int) -> Energy | str:
    with device.start(artifact, runtime, threads) as process:
        if not isinstance(process, EnergyProcess):
            return f"{device.name} does not report energy"
        found = process.energy()
    return found if isinstance(found, Energy) else f"the energy is not known: {found.rstrip('.')}"
