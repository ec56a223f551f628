"""What a phone's benchmarking tool is to us: arguments for an invocation, and what it reports.

Each tool is a module with the names of `Tool`: its command line and its grammar, and nothing of
how it gets to the phone.  `affnet.devices.android.tools.process` invokes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from affnet.devices.base import BlockStatistics, OperatorTime
from affnet.placement import Placement
from affnet.runtimes.litert_log import DelegateLog


@dataclass(frozen=True)
class Settings:
    """How a tool runs a model, whatever it measures."""

    threads: int
    gpu: bool = False
    xnnpack: bool = True
    warmup_seconds: float = 0.5
    shapes: tuple[tuple[int, ...], ...] = ()  # of the model's inputs


@dataclass(frozen=True)
class FedInput:
    """One input that a tool reads from a file."""

    path: str  # on the phone: its bytes
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Invocation:
    """One start of a tool."""

    graph: str
    runs: int
    warmup_runs: int = 1
    memory: bool = False  # report the peak too
    profile: bool = False  # report the operators' times too
    inputs: tuple[FedInput, ...] = ()  # all of them; without any the tool invents them
    folder: str | None = None  # where files are written, such as the outputs for the inputs


@dataclass(frozen=True)
class Report:
    """What one invocation reports."""

    load_ns: int | None  # None: not reported
    first_inference_ns: int | None
    samples_ns: tuple[int, ...] = ()  # of the measured runs, where they are reported
    block: BlockStatistics | None = None  # what is reported in their place
    peak_rss_bytes: int | None = None  # where it was asked for
    runtime_bytes: int | None = None  # what the runtime says that it has taken
    delegates: DelegateLog = field(default_factory=DelegateLog)  # of LiteRT's
    ignored: tuple[str, ...] = ()  # flags the tool does not know


class Tool(Protocol):
    """A module of one tool."""

    NAME: str  # the program's, and how results call it
    LIMITS: tuple[str, ...]  # what its results never hold, a sentence each without full stop
    WRITES_OUTPUTS: bool  # the outputs for given inputs, in some version at least
    WRITES_SAMPLES: bool  # to files, so that each invocation needs a folder
    TELLS_MEMORY: bool  # what does not is watched from outside
    WARMS_UP: bool  # for `Settings.warmup_seconds`; what does not gets more runs, whose are cut off
    BUILD: str  # where the program comes from, for whoever has none

    def arguments(self, invocation: Invocation, settings: Settings) -> list[str]:
        """Return the arguments for exactly the runs that are asked for."""
        ...

    def parse(self, output: str, files: Mapping[str, bytes], /) -> Report:
        """Read what the tool wrote on its outputs, and into the invocation's folder.

        Raises:
            ValueError: it is no output of an invocation that was finished; the message says why.
        """
        ...

    def outputs(self, files: Mapping[str, bytes], /) -> bytes | None:
        """Return the outputs' bytes, one after the other, of the files written; None if missing."""
        ...

    def operators(
        self, output: str, files: Mapping[str, bytes], runs: int, /
    ) -> list[OperatorTime]:
        """Return the operators' times from the output, or the files written; none if not reported.

        Raises:
            ValueError: it is nonsense.
        """
        ...

    def placement(self, model: Path, report: Report, settings: Settings, /) -> Placement | None:
        """Return where the operators of a model run; None where the tool does not say.

        Raises:
            AffnetError: the model on this machine cannot be read.
        """
        ...


def block_of(runs: str, minimum_ms: str, maximum_ms: str, mean_ms: str) -> BlockStatistics:
    """Return what a tool says that reports no more than these.

    Raises:
        ValueError: they are no times of runs.
    """
    low, high, mean = (round(float(text) * 1e6) for text in (minimum_ms, maximum_ms, mean_ms))
    if int(runs) < 1 or not 0 < low <= mean <= high:
        raise ValueError(f"it reported {runs} runs of {minimum_ms} to {maximum_ms} ms")
    return BlockStatistics(int(runs), None, None, low, high, mean, None, None, None, None)


def complaint(output: str) -> str:
    """Return the line that says best what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[-1:] or ["it said nothing"])[0]
