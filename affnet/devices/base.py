"""What every kind of device offers, and what measuring on one gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from affnet.errors import AffnetError, UsageError
from affnet.runtimes import get_runtime

if TYPE_CHECKING:  # it needs numpy, which a board may lack that is only looked at
    import numpy as np
    from numpy.typing import NDArray

    from affnet.artifact import Artifact
    from affnet.placement import Placement


Progress = Callable[[str], None]

MEMORY_RUNS = 5  # after which a process's peak memory is read


@dataclass(frozen=True)
class Capabilities:
    """What a kind of device can run."""

    runtimes: tuple[str, ...]
    accelerators: tuple[str, ...]
    #: What it is at home in: those that are measured unless others are asked for.
    home_runtimes: tuple[str, ...] = field(kw_only=True)
    timed: bool = True  # its time says something of a device
    remote: bool = True  # runs another build than `affnet.runtimes`, so its outputs are compared
    hosted: str | None = None  # the service that measures by itself; see `affnet.devices.hosted`

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of its runtimes."""
        return tuple(dict.fromkeys(get_runtime(name).format for name in self.runtimes))


@dataclass(frozen=True)
class Settings:
    """What a catalog entry may set, whatever its kind; kinds add fields of their own."""

    description: str = ""
    max_temperature: float | None = None  # degrees Celsius, above which no turn begins
    min_battery: float | None = None  # percent, below which none does
    cool_down_s: float = 600.0  # that a turn waits for both at most


@dataclass(frozen=True)
class Check:
    """One step of finding out whether a device can be measured on."""

    step: str  # what is needed, such as "Python"
    passed: bool
    detail: str  # what was found
    remedy: str | None = None  # the command, or the act, that fixes it
    needed: bool = True  # without it nothing can be measured; False for one runtime of several

    @classmethod
    def failed(cls, step: str, error: AffnetError, *, needed: bool = True) -> Check:
        """Return the step that ended with an error; a command stands without "run: "."""
        remedy = error.remedy and error.remedy.removeprefix("run: ")
        return cls(step, False, error.problem, remedy, needed)


@dataclass(frozen=True)
class Startup:
    """What a measuring process reports once its model is loaded and has run once; None: unknown."""

    load_ns: int | None
    first_inference_ns: int | None
    runtime_version: str


@dataclass(frozen=True)
class Memory:
    """What a measuring process takes, the runtime and all else in it included; None: unknown."""

    peak_rss_bytes: int | None  # the largest resident set so far
    pss_bytes: int | None = None  # now: what it shares with other processes counts by its share
    runtime_bytes: int | None = None  # what the runtime itself says that the model takes


@dataclass(frozen=True)
class BlockStatistics:
    """Summary statistics of a block, for tools that do not report individual runs."""

    runs: int
    first_ns: int | None
    last_ns: int | None
    minimum_ns: int
    maximum_ns: int
    mean_ns: int
    standard_deviation_ns: int | None
    p5_ns: int | None
    median_ns: int | None
    p95_ns: int | None

    @property
    def typical_ns(self) -> int:
        """The one value that stands for the block: its median, else its mean."""
        return self.mean_ns if self.median_ns is None else self.median_ns


@dataclass(frozen=True)
class OperatorTime:
    """How long one operator of a graph takes, in a run that was watched and is slower for it."""

    name: str  # the node's, or that of the tensor it makes
    operator: str  # its type, as the runtime calls what it made of the file's
    mean_ns: int  # of all its calls in one inference
    module: str | None = None  # of the PyTorch network, where the file names it


class MeasuringProcess(Protocol):
    """A fresh process that holds one loaded artifact and waits, idle, between its runs."""

    startup: Startup

    def run(self, iterations: int, discard: int = 0) -> Sequence[int]:
        """Run inference ``discard + iterations`` times; return the last ``iterations`` in ns."""
        ...

    def memory(self) -> Memory:
        """Return what memory the process takes, and has taken at most so far."""
        ...


@runtime_checkable
class QualifiedProcess(MeasuringProcess, Protocol):
    """A `MeasuringProcess` over a tool that does not do all that our own workers do."""

    def caveats(self) -> Sequence[str]:
        """Return what the results lack, a sentence each without its full stop."""
        ...

    def warnings(self) -> Sequence[str]:
        """Return why the results may be invalid, a sentence each without its full stop."""
        ...


@runtime_checkable
class SummarisingProcess(QualifiedProcess, Protocol):
    """A `MeasuringProcess` over a tool that reports statistics of its runs, and no single ones.

    Its `run` returns one sample, the block's `BlockStatistics.typical_ns`.
    """

    def last_block(self) -> BlockStatistics:
        """Return the statistics of the last block."""
        ...


@runtime_checkable
class ComputingProcess(MeasuringProcess, Protocol):
    """A `MeasuringProcess` that returns its outputs, so that they can be checked."""

    arithmetic: str  # "fp32" or "fp16", the coarsest it computes in

    def outputs(self) -> list[NDArray[np.float32]] | None:
        """Return the outputs for `affnet.parity.reference_inputs`; None if not available."""
        ...


@runtime_checkable
class InferringProcess(MeasuringProcess, Protocol):
    """A `MeasuringProcess` that runs inputs of the caller's."""

    def infer(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the outputs for an array for each input, of the shape and type it takes."""
        ...


@runtime_checkable
class PipelineProcess(MeasuringProcess, Protocol):
    """A `MeasuringProcess` that can go from a picture's file to an answer."""

    def begin_pipeline(self, artifact: Artifact, picture: bytes) -> None:
        """Let what is run and timed from now on be the way of a picture, given as its file.

        Raises:
            MissingError: what decodes pictures is not installed there.
        """
        ...

    def last_stages(self) -> dict[str, tuple[int, ...]]:
        """Return the parts of the samples of the last `run`, by stage."""
        ...


@runtime_checkable
class ProfilingProcess(MeasuringProcess, Protocol):
    """A `MeasuringProcess` that can profile its operators."""

    def profile(self, runs: int) -> list[OperatorTime]:
        """Run ``runs`` times under the runtime's profiler, apart from all that is timed.

        Raises:
            MissingError: this runtime, or this build of a tool, has no profiler.
            MeasurementError: it reported nonsense.
        """
        ...


@runtime_checkable
class PlacingProcess(MeasuringProcess, Protocol):
    """A `MeasuringProcess` that reports which of the device's units each operator runs on."""

    def placement(self) -> Placement | str | None:
        """Return where the operators run; None where this runtime never reports it.

        Where it failed to, a sentence without its full stop that says why.
        """
        ...


class Device(Protocol):
    """A place that can run artifacts.

    It is made from a name and its settings, which touches nothing; `session` reaches it.
    """

    kind: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    settings_type: ClassVar[type[Settings]]
    name: str

    @property
    def settings(self) -> Settings:
        """What the catalog's entry sets."""
        ...

    def address(self) -> str:
        """Return what identifies the hardware: two names may mean the same device."""
        ...

    def checks(self) -> Iterator[Check]:
        """Find out step by step what works; the first step is whether it can be reached.

        A step that fails ends the list where nothing further can be tried without it.
        """
        ...

    def check_runtime(self, runtime: str) -> None:
        """Find out what can be known of ``runtime`` without reaching the device.

        Raises:
            UsageError: devices of this kind cannot run it.
            MissingError: it is not installed.
        """
        ...

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """Say step by step what measuring ``files`` would do there, and do nothing."""
        ...

    def session(
        self, runtime: str, progress: Progress = lambda _: None
    ) -> AbstractContextManager[None]:
        """Reach and prepare the device; at the end nothing that was put there is left.

        All that follows is for within a session.

        Raises:
            MissingError: it cannot be reached, or lacks what measuring needs.
        """
        ...

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

    def interrupt(self) -> None:
        """End the processes that are measuring, so that a thread waiting for one goes on."""
        ...


def check_timed(device: Device) -> None:
    """Raise `UsageError` where time on devices of this kind says nothing."""
    if not device.capabilities.timed:
        raise UsageError(
            f"{device.name} is emulated, and its time is no device's",
            "measure on a board or a phone (see: affnet devices); prove a file on it by: "
            f"affnet verify FILE --device {device.name}",
        )


def check_capable(device: Device, runtime: str) -> None:
    """Raise `UsageError` unless devices of this kind can run ``runtime``."""
    valid = device.capabilities.runtimes
    if runtime not in valid:
        raise UsageError(
            f"{device.name} does not run {runtime}",
            f"choose another runtime: {', '.join(valid)}.",
        )
