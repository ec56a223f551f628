"""This machine."""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, ClassVar

from affnet.artifact import Artifact
from affnet.devices import Capabilities, Check, Progress, Settings, probes
from affnet.devices.channel import RemoteProcess, describe_job, ending
from affnet.errors import MissingError, UsageError
from affnet.processes import module_command, module_environment
from affnet.runtimes import check_measurable, get_runtime

_DEFAULTS = Settings()


class HostDevice:
    """Measures in fresh processes on this machine."""

    kind: ClassVar = "host"
    capabilities: ClassVar = Capabilities(
        formats=("coreml", "executorch", "onnx", "tflite", "torch"),
        runtimes=("coreml", "executorch", "litert", "onnxruntime", "torch"),
        accelerators=("cpu",),
        remote=False,
    )
    settings_type: ClassVar[type[Settings]] = Settings

    def __init__(self, name: str = "host", settings: Settings = _DEFAULTS) -> None:
        self.name = name
        self._processes: set[subprocess.Popen[str]] = set()

    def address(self) -> str:
        """See `Device.address`."""
        return "this machine"

    def checks(self) -> Iterator[Check]:
        """See `Device.checks`: which runtimes are installed."""
        yield Check("reachable", True, f"{probes.cpu_model()}, {platform.system()}")
        yield from map(_check_runtime, self.capabilities.runtimes)

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`."""
        engine = get_runtime(runtime)
        check_measurable(engine)
        engine.version()

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """See `Device.plan`."""
        return [
            "Look at the load, the frequency governor and the temperature of this machine",
            *(f"Load {file} in a process of its own, for its peak memory" for file in files),
            *(
                f"Load {file} in a fresh process with {runtime} on {threads} thread(s), and warm up"
                for file in files
            ),
        ]

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`: the runtime must be installed."""
        self.check_runtime(runtime)
        yield

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`."""
        return probes.fingerprint()

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`."""
        return probes.conditions()

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[RemoteProcess]:
        """See `Device.start`; more threads than the machine has would only wait for each other.

        Raises:
            UsageError: ``threads`` are more than that.
        """
        if threads > (offered := os.cpu_count() or 1):
            raise UsageError(f"This machine runs {offered} threads at once, not {threads}.")
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
            self._processes.add(process)
            try:
                label = f"{artifact.path.name} on {runtime}"
                job = describe_job(artifact, runtime, threads)
                yield RemoteProcess(PipeChannel(process, stderr), job, label)
            finally:
                process.kill()
                process.wait()
                self._processes.discard(process)
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        with contextlib.suppress(OSError):  # what was left in the buffer
                            pipe.close()

    def interrupt(self) -> None:
        """See `Device.interrupt`."""
        for process in tuple(self._processes):
            process.kill()


def _check_runtime(name: str) -> Check:
    runtime = get_runtime(name)
    try:
        check_measurable(runtime)
        return Check(name, True, runtime.version(), needed=False)
    except MissingError as error:
        sentence, _, remedy = str(error).partition("; run: ")
        return Check(name, False, sentence, remedy or None, needed=False)


class PipeChannel:
    """Carries lines through the pipes of a child process."""

    def __init__(self, process: subprocess.Popen[str], stderr: IO[bytes]) -> None:
        self._process = process
        self._stderr = stderr
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._receive, daemon=True).start()

    def send(self, line: str) -> None:
        """See `Channel.send`."""
        assert self._process.stdin is not None  # a pipe was asked for
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def receive(self, timeout_s: float) -> str:
        """See `Channel.receive`."""
        try:
            return self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None

    def how_it_ended(self) -> str:
        """See `Channel.how_it_ended`."""
        code = self._process.wait()
        self._stderr.seek(0)
        return ending(code, self._stderr.read().decode(errors="replace"))

    def _receive(self) -> None:
        assert self._process.stdout is not None  # a pipe was asked for
        with contextlib.suppress(ValueError):  # closed while waiting: the measurement is over
            for line in self._process.stdout:
                self._lines.put(line)
            self._lines.put("")  # the process has ended
