"""A device as budgets are measured on it: one of this machine, or of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol as Interface

from affnet.bench.budgets.attribution import Profile, take_profiles
from affnet.bench.budgets.budget_file import Budget, Place
from affnet.bench.budgets.noise_floor import check_sensitivity
from affnet.bench.budgets.rounds import Rounds, measure_rounds
from affnet.bench.measurement.interleaved import Job, Progress
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.sweep import Keep
from affnet.devices.base import Device


class BudgetDevice(Interface):
    """What checking asks of a device."""

    def check_sensitivity(self, budgets: Sequence[Budget], place: Place) -> None:
        """See `affnet.bench.budgets.noise_floor.check_sensitivity`."""
        ...

    def measure_rounds(
        self,
        jobs: Sequence[Job],
        protocol: Protocol,
        *,
        threads: int,
        max_rounds: int,
        enough: Callable[[Rounds], bool],
        memory_counts: bool,
        progress: Progress,
        keep: Keep,
    ) -> Rounds:
        """See `affnet.bench.budgets.rounds.measure_rounds`; results go to ``keep``."""
        ...

    def take_profiles(self, jobs: Sequence[Job], threads: int) -> Sequence[Profile]:
        """See `affnet.bench.budgets.attribution.TakeProfiles`."""
        ...


class AttachedDevice:
    """A device of this machine."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def check_sensitivity(self, budgets: Sequence[Budget], place: Place) -> None:
        """See `BudgetDevice`."""
        check_sensitivity(budgets, self._device, place)

    def measure_rounds(
        self,
        jobs: Sequence[Job],
        protocol: Protocol,
        *,
        threads: int,
        max_rounds: int,
        enough: Callable[[Rounds], bool],
        memory_counts: bool,
        progress: Progress,
        keep: Keep,
    ) -> Rounds:
        """See `BudgetDevice`."""
        rounds = measure_rounds(
            jobs,
            self._device,
            protocol,
            threads=threads,
            max_rounds=max_rounds,
            enough=enough,
            memory_counts=memory_counts,
            progress=progress,
        )
        keep(rounds.results())
        return rounds

    def take_profiles(self, jobs: Sequence[Job], threads: int) -> Sequence[Profile]:
        """See `BudgetDevice`."""
        return take_profiles(jobs, self._device, threads)
