"""Arm processors, emulated: the runtimes' real builds for Arm run a file here.

Its outputs are those of such a processor, its time is nobody's: such a device proves files, and
measuring on it is refused.  The same runner that goes to boards runs in the emulated system.  Where
this machine is itself Arm, ``arm64`` without a CPU model is this machine.
"""

from __future__ import annotations

import platform
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from affnet.artifact import Artifact
from affnet.devices.base import Capabilities, Check, Progress, Settings, check_capable
from affnet.devices.emulated import packages
from affnet.devices.emulated.cpus import DEFAULT_CPU, check_cpu, features
from affnet.devices.emulated.root import COST, RUNTIMES, Root, find_root, ready_root
from affnet.devices.worker.board_main import NEEDED
from affnet.devices.worker.bundle import runner_file
from affnet.devices.worker.channel import RemoteProcess, describe_job
from affnet.devices.worker.executorch_library import library
from affnet.devices.worker.local_process import LocalProcesses
from affnet.errors import MeasurementError, MissingError
from affnet.files import scratch_folder
from affnet.processes import TooMuchOutputError, module_environment, python_command, run_bounded
from affnet.reading import parse_json
from affnet.runtimes import get_runtime
from affnet.runtimes.executorch_native import LIBRARY
from affnet.units import MEGABYTES

_QUESTION_TIMEOUT_S = 120.0
_ARM = ("aarch64", "arm64")


@dataclass(frozen=True)
class EmulatedSettings(Settings):
    """What may be set of an emulated processor."""

    cpu: str | None = None  # of `affnet.devices.emulated.cpus.CPUS`
    mirror: str | None = None  # of Debian, where apt of this machine uses none


_DEFAULTS = EmulatedSettings()


class EmulatedDevice:
    """Runs files in fresh processes on an Arm processor that QEMU emulates."""

    kind: ClassVar = "emulated"
    capabilities: ClassVar = Capabilities(
        runtimes=RUNTIMES,
        accelerators=("cpu",),
        home_runtimes=RUNTIMES,
        timed=False,
    )
    settings_type: ClassVar[type[Settings]] = EmulatedSettings

    def __init__(self, name: str = "arm64", settings: EmulatedSettings = _DEFAULTS) -> None:
        if settings.cpu is not None:
            check_cpu(settings.cpu)
        self.name = name
        self.settings = settings
        self._cpu = settings.cpu or DEFAULT_CPU
        self._is_this_machine = settings.cpu is None and platform.machine().lower() in _ARM
        self._processes = LocalProcesses()
        self._guest: _Guest | None = None

    def address(self) -> str:
        """See `Device.address`."""
        return "this machine" if self._is_this_machine else f"emulated {self._cpu}"

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`: it runs there at the version that is installed here."""
        check_capable(self, runtime)
        get_runtime(runtime).version()

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """See `Device.plan`."""
        return [f"Run {file} with {runtime} for Arm on {self._cpu}, emulated" for file in files]

    def checks(self) -> Iterator[Check]:
        """See `Device.checks`; after the first step the system is made if it is not there."""
        try:
            yield Check("reachable", True, self._found())
            with self._opened(lambda _: None) as guest:
                yield Check("system", True, guest.description)
                yield Check("CPU", True, f"{self._cpu_text()}: {', '.join(guest.features())}")
                versions = guest.ask("fingerprint")["packages"]
        except MissingError as error:
            yield Check.failed("system", error)
            return
        for runtime in RUNTIMES:
            package = next(iter(NEEDED[runtime].values()))
            if version := versions.get(package):
                yield Check(runtime, True, version, needed=False)
            else:
                remedy = f"pip install {package}, which is then fetched for Arm too"
                yield Check(runtime, False, "not installed on this machine", remedy, needed=False)

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`; the system is made first if it is not there."""
        self.check_runtime(runtime)
        with self._opened(progress) as self._guest:
            try:
                yield
            finally:
                self._guest = None

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`; ``features`` are those that kernels differ by."""
        guest = self._started
        told = guest.ask("fingerprint")
        return {"kind": self.kind, **told, "cpu": self._cpu_text(), "features": guest.features()}

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`."""
        return self._started.ask("conditions")

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[RemoteProcess]:
        """See `Device.start`.

        Raises:
            MeasurementError: also where the runtime uses an instruction that the processor lacks.
        """
        guest, name = self._started, artifact.path.name
        if runtime == "executorch":
            guest.put_library()
        label = f"{name} on {runtime} on {self.name}"
        with self._processes.start(guest.command("measure"), guest.environment) as channel:
            try:
                yield RemoteProcess(channel, describe_job(artifact, runtime, threads), label)
            except MeasurementError as error:
                if channel.returncode() != -signal.SIGILL:
                    raise
                raise MeasurementError(
                    f"{runtime} {get_runtime(runtime).version()} ran an instruction that "
                    f"{self._cpu_text()} lacks, with {name}",
                    "prove the file on another CPU model; on such a device it would crash too.",
                ) from error

    def interrupt(self) -> None:
        """See `Device.interrupt`."""
        self._processes.interrupt()

    @property
    def _started(self) -> _Guest:
        assert self._guest is not None  # within a session
        return self._guest

    def _cpu_text(self) -> str:
        return "this machine" if self._is_this_machine else f"{self._cpu}, emulated by QEMU"

    def _found(self) -> str:
        """Say what is there already, which costs nothing to find out."""
        if self._is_this_machine:
            return "this machine is itself Arm"
        if platform.system() != "Linux":
            raise MissingError(
                f"QEMU emulates a processor for programs on Linux only, not on {platform.system()}",
                "take a machine with Linux, or on a Mac with Apple silicon the device arm64.",
            )
        if root := find_root():
            return f"{self._cpu}, emulated by QEMU {root.qemu}"
        packages.check_tools()
        return f"{self._cpu}, emulated; its system is made with the first use ({COST})"

    @contextmanager
    def _opened(self, progress: Progress) -> Iterator[_Guest]:
        self._found()
        with scratch_folder() as scratch:
            runner = scratch / "runner.pyz"
            runner.write_bytes(runner_file())
            if self._is_this_machine:
                yield _Guest(
                    python_command(), module_environment(), runner, "this machine's own", None
                )
                return
            root = ready_root(self.settings.mirror, progress)
            command, environment = root.command(self._cpu), root.environment()
            yield _Guest(command, environment, runner, _described(root), root.folder / "site")


def _described(root: Root) -> str:
    return f"{MEGABYTES.text(root.size)} in {root.folder}, QEMU {root.qemu}"


@dataclass(frozen=True)
class _Guest:
    """The runner and the Python that executes it."""

    python: Sequence[str]
    environment: Mapping[str, str]
    runner: Path
    description: str
    packages: Path | None  # of an emulated system

    def command(self, *words: str) -> list[str]:
        """Return the command that the runner is started with."""
        return [*self.python, str(self.runner), *words]

    def put_library(self) -> None:
        """Put beside the runner what runs ExecuTorch.

        Raises:
            MissingError: there is no compiler for it.
        """
        version = get_runtime("executorch").version()
        package = self.packages / "executorch" if self.packages else None
        shutil.copyfile(library("aarch64", version, package), self.runner.with_name(LIBRARY))

    def features(self) -> list[str]:
        """Return the processor's features that kernels differ by."""
        return list(features(self.ask("features")["features"]))

    def ask(self, question: str) -> dict[str, Any]:
        """Let the runner answer; see `affnet.devices.worker.board_main`.

        Raises:
            MissingError: it cannot be started, or does not answer.
        """
        try:
            command = self.command(question)
            code, out, err = run_bounded(command, _QUESTION_TIMEOUT_S, self.environment)
            answer = parse_json(out) if code == 0 else None
        except (OSError, ValueError, TimeoutError, TooMuchOutputError) as error:
            code, err, answer = 1, str(error), None
        if not isinstance(answer, dict):
            said = (err.strip().splitlines() or [f"exit code {code}"])[-1]
            raise MissingError(
                f"The emulated system did not report its {question}: {said[:200]}",
                "remove it, so that it is made anew: affnet cache clear emulated",
            )
        return answer
