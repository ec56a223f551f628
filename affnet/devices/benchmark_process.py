"""A `affnet.devices.SummarisingProcess` that starts ``benchmark_model`` for each block of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from affnet.devices import BlockStatistics, Startup
from affnet.devices import benchmark_model as tool
from affnet.devices.channel import RUN_TIMEOUT_S, ending
from affnet.devices.phone import Phone
from affnet.devices.runners import Runner
from affnet.errors import MeasurementError, MissingError

_MEMORY_RUNS = 5
_CANNOT_RUN = (126, 127)  # a shell's exit codes: found but not executable, and not found


class BenchmarkProcess:
    """What is known of a model between two invocations; none runs meanwhile."""

    def __init__(
        self,
        phone: Phone,
        runner: Runner,
        command: Sequence[str],
        graph: str,
        settings: tool.Settings,
        *,
        label: str,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self._phone, self._runner, self._command = phone, runner, command
        self._graph, self._settings, self._label = graph, settings, label
        self._pause = pause
        first = self._invoke(runs=1, warmup_runs=1)
        self._last = first.block
        self._delegated = first.delegated
        self.startup = Startup(
            first.load_ns, first.first_inference_ns, f"benchmark_model {runner.version}"
        )

    def run(self, iterations: int, discard: int = 0) -> Sequence[int]:
        """See `SummarisingProcess`: one sample, the block's median."""
        self._pause()
        self._last = self._invoke(runs=iterations, warmup_runs=discard).block
        return [self._last.typical_ns]

    def last_block(self) -> BlockStatistics:
        """See `SummarisingProcess.last_block`."""
        return self._last

    def peak_rss_bytes(self) -> int:
        """See `MeasuringProcess.peak_rss_bytes`: of an invocation that is watched by the tool."""
        peak = self._invoke(runs=_MEMORY_RUNS, warmup_runs=1, memory=True).peak_rss_bytes
        if peak is None:
            raise MeasurementError(f"Measuring {self._label} told no peak of the memory.")
        return peak

    def limits(self) -> Sequence[str]:
        """See `SummarisingProcess.limits`."""
        kind = "mean" if self._last.median_ns is None else "median"
        return [
            "benchmark_model tells statistics and no single runs: a sample is the "
            f"{kind} of a turn, p90 and p99 are not known, and each turn loads the model anew"
        ]

    def doubts(self) -> Sequence[str]:
        """See `SummarisingProcess.doubts`: a GPU that leaves nodes to the CPU."""
        if not self._settings.gpu:
            return []
        taken = [(n, of) for n, of, name in self._delegated if "xnnpack" not in name.lower()]
        if not taken:
            return ["benchmark_model did not say that the GPU ran any node"]
        return [f"the GPU ran {n} of {of} nodes" for n, of in taken if n < of]

    def _invoke(self, *, runs: int, warmup_runs: int, memory: bool = False) -> tool.Report:
        arguments = tool.arguments(
            self._graph, self._settings, runs=runs, warmup_runs=warmup_runs, memory=memory
        )
        try:
            done = self._phone.run([*self._command, *arguments], RUN_TIMEOUT_S)
        except TimeoutError:
            raise MeasurementError(
                f"Measuring {self._label} gave no answer for {RUN_TIMEOUT_S:.0f} s; it was stopped."
            ) from None
        if done.code in _CANNOT_RUN:
            raise MissingError(
                f"{self._runner.path} cannot be run on the phone {self._phone.adb.serial} "
                f"({tool.complaint(done.output)}); name the folder of one that can: --runner-dir"
            )
        if done.code:
            code = 128 - done.code if done.code > 128 else done.code  # a shell's way to say signal
            raise MeasurementError(
                f"Measuring {self._label} ended with {ending(code, tool.complaint(done.output))}"
            )
        try:
            report = tool.parse(done.output)
        except ValueError as error:
            said = tool.complaint(done.output)[:80]
            raise MeasurementError(
                f"Measuring {self._label} answered with nonsense ({error}): {said!r}."
            ) from None
        if report.ignored:
            raise MeasurementError(
                f"Measuring {self._label} ignored {' '.join(report.ignored)}, which this "
                "benchmark_model does not know; choose other settings or another --runner-dir."
            )
        return report
