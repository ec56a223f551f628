"""This machine."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from affnet.artifact import Artifact
from affnet.devices import Startup, probes
from affnet.errors import AffnetError, MeasurementError
from affnet.processes import module_command, module_environment

_TIMEOUT_S = 300.0  # for one answer; the longest, loading a large program in torch, takes seconds
_RUN_TIMEOUT_S = 600.0


class HostDevice:
    """Measures in fresh processes on this machine."""

    kind = "host"

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`."""
        return probes.fingerprint()

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`."""
        return probes.conditions()

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[HostProcess]:
        """See `Device.start`."""
        with tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(
                module_command("affnet.devices.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=module_environment(),
                start_new_session=True,  # Ctrl-C reaches the parent, which then ends its workers
                text=True,
                encoding="utf-8",
            )
            try:
                yield HostProcess(process, stderr, artifact, runtime, threads)
            finally:
                process.kill()
                process.wait()
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        with contextlib.suppress(OSError):  # what was left in the buffer
                            pipe.close()


class HostProcess:
    """The parent's end of a `affnet.devices.worker`."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        stderr: IO[bytes],
        artifact: Artifact,
        runtime: str,
        threads: int,
    ) -> None:
        self._process = process
        self._stderr = stderr
        self._label = f"{artifact.path.name} on {runtime}"
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._receive, daemon=True).start()
        job = {"artifact": str(artifact.path.resolve()), "runtime": runtime, "threads": threads}
        expected = ("load_ns", "first_inference_ns", "runtime_version")
        answer = self._ask(job, expected, _TIMEOUT_S)
        self.startup = Startup(**{name: answer[name] for name in expected})

    def run(self, iterations: int, discard: int = 0) -> Sequence[int]:
        """See `MeasuringProcess.run`."""
        request = {"command": "run", "iterations": iterations, "discard": discard}
        samples: list[int] = self._ask(request, ("samples_ns",), _RUN_TIMEOUT_S)["samples_ns"]
        return samples

    def peak_rss_bytes(self) -> int:
        """See `MeasuringProcess.peak_rss_bytes`."""
        request = {"command": "peak_rss"}
        return int(self._ask(request, ("peak_rss_bytes",), _TIMEOUT_S)["peak_rss_bytes"])

    def _receive(self) -> None:
        assert self._process.stdout is not None  # a pipe was asked for
        with contextlib.suppress(ValueError):  # closed while waiting: the measurement is over
            for line in self._process.stdout:
                self._answers.put(line)
            self._answers.put("")  # the process has ended

    def _ask(
        self, request: dict[str, Any], expected: tuple[str, ...], timeout_s: float
    ) -> dict[str, Any]:
        """Return the answer to a request: one of our errors is raised, else it has ``expected``."""
        assert self._process.stdin is not None  # a pipe was asked for
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise MeasurementError(
                f"Measuring {self._label} gave no answer for {timeout_s:.0f} s; it was stopped."
            ) from None
        except BrokenPipeError:
            line = ""
        if not line:
            raise MeasurementError(f"Measuring {self._label} {self._how_it_ended()}")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not ("error" in answer or answer.keys() >= {*expected}):
            raise MeasurementError(
                f"Measuring {self._label} answered with nonsense: {line.strip()[:80]!r}."
            )
        if "error" in answer:  # one of our own, raised there
            error = AffnetError(answer["error"])
            error.exit_code = answer["exit_code"]
            raise error
        return answer

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        reason = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"ended with {reason}: {lines[-1] if lines else 'it said nothing'}"
