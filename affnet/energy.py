"""How much energy inferences took, beside the rest of the machine at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class EnergyWindow:
    """A while of rest, and a while of inferences right after it."""

    idle_uj: int
    idle_ns: int
    load_uj: int
    load_ns: int
    runs: int

    @property
    def run_uj(self) -> float:
        """What an inference took beyond what the machine takes at rest."""
        return (self.load_uj - self.idle_uj * self.load_ns / self.idle_ns) / self.runs


@dataclass(frozen=True)
class Energy:
    """What a counter of energy showed."""

    source: str  # the counter, and what it counts
    windows: tuple[EnergyWindow, ...]
    estimated: bool = False  # by what a battery shows


@runtime_checkable
class EnergyProcess(Protocol):
    """A measuring process that can count the energy of its inferences."""

    def energy(self) -> Energy | str:
        """Rest and run in turns; a sentence where nothing counts there."""
        ...
