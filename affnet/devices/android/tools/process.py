"""A `affnet.devices.base.MeasuringProcess` that starts a phone's tool for each block of runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.devices.android import energy
from affnet.devices.android.session import Phone
from affnet.devices.android.tools.base import (
    FedInput,
    Invocation,
    Report,
    Settings,
    Tool,
    complaint,
)
from affnet.devices.android.tools.binaries import NAME_FOLDER, Runner
from affnet.devices.base import MEMORY_RUNS, BlockStatistics, Memory, OperatorTime, Startup
from affnet.devices.worker.channel import RUN_TIMEOUT_S, ending
from affnet.energy import Energy
from affnet.errors import AffnetError, MeasurementError, MissingError
from affnet.files import scratch_folder
from affnet.parity import reference_inputs
from affnet.placement import Placement

_FEW_RUNS = 20  # that show how long one takes
_CANNOT_RUN = (126, 127)  # a shell's exit codes: found but not executable, and not found
FILE_FLAGS = ("--input", "--output")  # of invocations that read an input, and write what came out


@dataclass(frozen=True)
class Invoked:
    """What came of an invocation."""

    report: Report
    output: str
    files: Mapping[str, bytes]  # what it wrote into its folder


@dataclass(frozen=True)
class Invoker:
    """Starts a tool on a phone, and says what went wrong in a sentence."""

    phone: Phone
    runner: Runner
    tool: Tool
    command: Sequence[str]
    settings: Settings
    label: str

    def invoke(self, invocation: Invocation) -> Invoked:
        """Start the tool, with a folder for its files if it writes any.

        Raises:
            MissingError: the phone cannot run it.
            MeasurementError: it crashed, hung, reported nonsense, or does not know a flag.
        """
        folder = ""
        if invocation.inputs or invocation.profile or self.tool.WRITES_SAMPLES:
            folder = self.phone.make_folder()
        arguments = self.tool.arguments(replace(invocation, folder=folder), self.settings)
        try:
            watched = invocation.memory and not self.tool.TELLS_MEMORY
            done = self.phone.run([*self.command, *arguments], RUN_TIMEOUT_S, watched=watched)
        except TimeoutError:
            raise MeasurementError(
                f"Measuring {self.label} gave no answer for {RUN_TIMEOUT_S:.0f} s; it was stopped."
            ) from None
        if done.code in _CANNOT_RUN:
            raise MissingError(
                f"{self.runner.path} cannot be run on the phone {self.phone.adb.serial} "
                f"({complaint(done.output)})",
                f"name the folder of one that can, {NAME_FOLDER}.",
            )
        if done.code:
            code = 128 - done.code if done.code > 128 else done.code  # a shell's way to say signal
            raise MeasurementError(
                f"Measuring {self.label} ended with {ending(code, complaint(done.output))}"
            )
        files = self.phone.pull_all(folder) if folder else {}
        try:
            report = self.tool.parse(done.output, files)
        except ValueError as error:
            raise self.nonsense(str(error), complaint(done.output)) from None
        # where it does not know of files, the caller sees, who can do without
        unknown = [flag for flag in report.ignored if not flag.startswith(FILE_FLAGS)]
        if unknown:
            raise MeasurementError(
                f"Measuring {self.label} ignored {' '.join(unknown)}, which this "
                f"{self.tool.NAME} does not know",
                f"choose other settings, or name the folder of another, {NAME_FOLDER}.",
            )
        return Invoked(report, done.output, files)

    def nonsense(self, reason: str, said: str) -> MeasurementError:
        """Return the error for what cannot be read."""
        return MeasurementError(
            f"Measuring {self.label} answered with nonsense ({reason}): {said[:80]!r}."
        )


class ToolProcess:
    """What is known of a model between two invocations; none runs meanwhile."""

    def __init__(
        self,
        invoker: Invoker,
        artifact: Artifact,
        graph: str,
        first: Report,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self._invoker, self._artifact, self._graph = invoker, artifact, graph
        self._pause, self._first = pause, first
        self._typical_ns = _typical_ns(first)
        self.arithmetic = "fp16" if invoker.settings.gpu else "fp32"  # GPU delegates round to it
        version = f"{invoker.tool.NAME} {invoker.runner.version}"
        self.startup = Startup(first.load_ns, first.first_inference_ns, version)

    def run(self, iterations: int, discard: int = 0) -> Sequence[int]:
        """See `MeasuringProcess.run`."""
        return self._block(iterations, discard).samples_ns

    def memory(self) -> Memory:
        """See `MeasuringProcess.memory`: of an invocation that is watched."""
        report = self._invoker.invoke(Invocation(self._graph, MEMORY_RUNS, memory=True)).report
        if report.peak_rss_bytes is None:
            raise MeasurementError(f"Measuring {self._invoker.label} reported no peak memory.")
        return Memory(report.peak_rss_bytes, runtime_bytes=report.runtime_bytes)

    def outputs(self) -> list[NDArray[np.float32]] | None:
        """See `affnet.devices.base.ComputingProcess.outputs`."""
        if not self._invoker.tool.WRITES_OUTPUTS:
            return None
        arrays = reference_inputs(self._artifact.manifest.described_inputs())
        fed = []
        with scratch_folder() as folder:
            for index, array in enumerate(arrays):
                path = folder / f"input_{index}"
                path.write_bytes(array.tobytes())
                there = self._invoker.phone.push(path, lambda _: None)
                fed.append(FedInput(there, array.shape))
        invoked = self._invoker.invoke(Invocation(self._graph, runs=1, inputs=tuple(fed)))
        if any(flag.startswith(FILE_FLAGS) for flag in invoked.report.ignored):
            return None
        content = self._invoker.tool.outputs(invoked.files)
        if content is None:
            raise self._invoker.nonsense("it wrote no outputs", complaint(invoked.output))
        return self._arrays(content)

    def profile(self, runs: int) -> list[OperatorTime]:
        """See `affnet.devices.base.ProfilingProcess.profile`."""
        invoked = self._invoker.invoke(Invocation(self._graph, runs, profile=True))
        try:
            found = self._invoker.tool.operators(invoked.output, invoked.files, runs)
        except ValueError as error:
            raise self._invoker.nonsense(str(error), complaint(invoked.output)) from None
        if not found:
            raise MissingError(
                f"{self._invoker.runner.path} reports no times of operators: it was built without "
                "its profiler."
            )
        return found

    def energy(self) -> Energy | str:
        """See `affnet.energy.EnergyProcess`."""
        adb = self._invoker.phone.adb
        try:
            energy.read(adb)  # says what is missing before any time is spent
            typical_ns = _typical_ns(self._run_alone(_FEW_RUNS))
            return energy.measure(adb, self._run_alone, typical_ns)
        except MissingError as error:  # not worth losing the latencies
            return str(error)

    def _run_alone(self, runs: int) -> Report:
        return self._invoker.invoke(Invocation(self._graph, runs)).report

    def placement(self) -> Placement | str | None:
        """See `affnet.devices.base.PlacingProcess.placement`."""
        tool, settings = self._invoker.tool, self._invoker.settings
        try:
            found = tool.placement(self._artifact.path, self._first, settings)
        except AffnetError as error:  # not worth losing the latencies
            return f"where operators run is not known ({error.problem})"
        return found or f"{tool.NAME} did not report where operators run"

    def caveats(self) -> Sequence[str]:
        """See `affnet.devices.base.QualifiedProcess.caveats`."""
        return self._invoker.tool.LIMITS

    def warnings(self) -> Sequence[str]:
        """See `QualifiedProcess.warnings`: a GPU of which nothing is said."""
        if not self._invoker.settings.gpu or self._first.delegates.taken:
            return []
        return [f"{self._invoker.tool.NAME} did not say that the GPU ran any node"]

    def _block(self, iterations: int, discard: int) -> Report:
        """Run a block; the samples of the report are those of ``iterations`` runs."""
        self._pause()
        if not self._invoker.tool.WARMS_UP and self._typical_ns:
            discard += math.ceil(self._invoker.settings.warmup_seconds * 1e9 / self._typical_ns)
        report = self._invoker.invoke(Invocation(self._graph, iterations, discard)).report
        if not report.samples_ns:
            return report
        expected = iterations if self._invoker.tool.WARMS_UP else iterations + discard
        if len(report.samples_ns) != expected:
            raise MeasurementError(
                f"Measuring {self._invoker.label} gave {len(report.samples_ns)} samples "
                f"for {expected} runs."
            )
        self._typical_ns = statistics.median(report.samples_ns)
        return replace(report, samples_ns=report.samples_ns[-iterations:])

    def _arrays(self, content: bytes) -> list[NDArray[np.float32]]:
        """Cut the outputs' bytes into arrays of the shapes that the manifest gives."""
        found, begin = [], 0
        for spec in self._artifact.manifest.outputs:
            shape, dtype = spec.static_shape(), np.dtype(spec.dtype)
            end = begin + math.prod(shape) * dtype.itemsize
            if end > len(content):
                break
            found.append(np.frombuffer(content[begin:end], dtype).reshape(shape))
            begin = end
        if begin != len(content) or len(found) != len(self._artifact.manifest.outputs):
            raise self._invoker.nonsense("its outputs are of another size", f"{len(content)} bytes")
        return [array.astype(np.float32) for array in found]


class SummarisingToolProcess(ToolProcess):
    """A `SummarisingProcess` over a tool that reports statistics of its runs."""

    def __init__(
        self,
        invoker: Invoker,
        artifact: Artifact,
        graph: str,
        first: Report,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(invoker, artifact, graph, first, pause)
        self._last = self._statistics(first)

    def run(self, iterations: int, discard: int = 0) -> Sequence[int]:
        """See `SummarisingProcess`: one sample, the block's median."""
        self._last = self._statistics(self._block(iterations, discard))
        return [self._last.typical_ns]

    def last_block(self) -> BlockStatistics:
        """See `SummarisingProcess.last_block`."""
        return self._last

    def caveats(self) -> Sequence[str]:
        """See `QualifiedProcess.caveats`."""
        kind = "mean" if self._last.median_ns is None else "median"
        return [
            f"{self._invoker.tool.NAME} reports statistics and no single runs: a sample is the "
            f"{kind} of a turn, p90 and p99 are not known",
            *super().caveats(),
        ]

    def _statistics(self, report: Report) -> BlockStatistics:
        if report.block is None:
            raise self._invoker.nonsense("it reports no statistics", "")
        return report.block


def _typical_ns(report: Report) -> float:
    """Return about how long a run takes."""
    if report.samples_ns:
        return statistics.median(report.samples_ns)
    return report.block.typical_ns if report.block else 0


def open_process(
    invoker: Invoker, artifact: Artifact, graph: str, pause: Callable[[], None] = lambda: None
) -> ToolProcess:
    """Start the tool once, and return the process that its kind of report needs."""
    first = invoker.invoke(Invocation(graph, runs=1)).report
    kind = ToolProcess if first.samples_ns else SummarisingToolProcess
    return kind(invoker, artifact, graph, first, pause)
