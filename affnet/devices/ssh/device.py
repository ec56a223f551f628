"""Linux boards over ssh: Raspberry Pi, Jetson, any server.

The board needs Python and a runtime.  It gets a folder of its own for the session, with the runner
(`affnet.devices.worker.bundle`) and the models.  A shell process there, the watchdog, removes the
folder and ends what runs in it as soon as its input ends, which a lost connection brings about too:
the board cleans up after itself even when nobody can ask it to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from affnet.artifact import Artifact
from affnet.devices import accelerators
from affnet.devices.base import (
    Capabilities,
    Check,
    Progress,
    Settings,
    check_capable,
)
from affnet.devices.ssh.board import Board, open_board
from affnet.devices.ssh.connection import Connection
from affnet.devices.ssh.login import Target
from affnet.devices.worker.board_main import NEEDED
from affnet.devices.worker.channel import RemoteProcess, describe_job
from affnet.errors import AffnetError, ArtifactError, MissingError
from affnet.placement import CPU
from affnet.runtimes import check_accelerated, get_runtime


@dataclass(frozen=True, kw_only=True)
class BoardSettings(Settings):
    """What may be set of a board; what is not set comes from ``~/.ssh/config``."""

    user: str | None = None
    port: int | None = None
    identity_file: str | None = None
    python: str = "python3"  # the interpreter that has the runtime
    folder: str = "/tmp"  # noqa: S108  # mktemp makes an unguessable folder inside
    install: bool = False  # a missing runtime, into a virtual environment there
    accelerator: str = CPU  # or gpu, npu, with a runtime that computes there


@dataclass(frozen=True, kw_only=True)
class SshSettings(BoardSettings):
    """What may be set of a board that is reached by its name."""

    host: str


class SshDevice:
    """Measures in fresh processes on a board."""

    kind: ClassVar = "ssh"
    capabilities: ClassVar = Capabilities(
        runtimes=tuple(NEEDED),
        accelerators=("cpu", "gpu", "npu"),
        home_runtimes=("onnxruntime", "litert"),
    )
    settings_type: ClassVar[type[Settings]] = SshSettings

    def __init__(self, name: str, settings: SshSettings) -> None:
        accelerators.check_name(name, settings.accelerator, self.capabilities)
        self.name = name
        self.settings = settings
        self._target = Target(settings.host, settings.user, settings.port, settings.identity_file)
        self._connection: Connection | None = None
        self._session: Board | None = None
        self._progress: Progress = lambda _: None

    def address(self) -> str:
        """See `Device.address`."""
        return f"ssh {self._target.host.lower()}:{self._target.port or 22}"

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`: whether the board has it shows in the session."""
        check_capable(self, runtime)
        check_accelerated(get_runtime(runtime), self.settings.accelerator)

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """See `Device.plan`."""
        settings = self.settings
        where = accelerators.described(settings.accelerator, threads)
        missing = "install it into ~/.cache/affnet/venv there" if settings.install else "stop"
        return [
            f"Log in to {self._target} over ssh, its host key verified",
            f"Make a folder in {settings.folder} there, which is removed at the end",
            f"Push the runner, and look for {runtime} in {settings.python} there; "
            f"if it is missing, {missing}",
            "Ask the board for its load, frequency governor and temperature",
            *(f"Push {file}, if there is space for it" for file in files),
            *(f"Load {file} in a process of its own there, for its peak memory" for file in files),
            *(
                f"Load {file} in a fresh process there with {runtime} on {where}, and warm up"
                for file in files
            ),
        ]

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`."""
        self.check_runtime(runtime)
        settings = self.settings
        connection = self._connection = Connection(self._target)  # first: it can be interrupted
        try:
            progress(f"Logging in to {self._target}")
            connection.log_in()
            with open_board(connection, settings.folder, settings.python) as board:
                board.push_runner()
                board.choose_python(runtime, settings.install, progress)
                if runtime == "executorch":
                    board.push_executorch(progress)
                self._session, self._progress = board, progress
                yield
        finally:
            self._session = None
            connection.close()

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`."""
        asked, chosen = (
            self._board.ask("fingerprint"),
            accelerators.fingerprint_of(self.settings.accelerator),
        )
        return {"kind": self.kind, "host": str(self._target), **asked, **chosen}

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`."""
        return self._board.ask("conditions")

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[RemoteProcess]:
        """See `Device.start`."""
        if not artifact.path.is_file():
            raise ArtifactError(f"{artifact.path} is no single file, which a board needs.")
        board, name = self._board, artifact.path.name
        remote = board.push(artifact.path, self._progress)
        label = f"{name} on {runtime} on {self.name}"
        with board.worker(f"measuring {label}") as channel:
            chosen = self.settings.accelerator
            job = describe_job(artifact, runtime, threads, remote, chosen)
            yield RemoteProcess(channel, job, label)

    def interrupt(self) -> None:
        """See `Device.interrupt`."""
        if self._connection is not None:
            self._connection.interrupt()

    def checks(self) -> Iterator[Check]:
        """See `Device.checks`."""
        connection = Connection(self._target)
        try:
            try:
                connection.log_in()
            except MissingError as error:
                yield Check.failed("reachable", error)
                return
            yield Check("reachable", True, f"logged in to {self._target}, host key verified")
            yield from _board_checks(connection, self.settings)
        finally:
            connection.close()

    @property
    def _board(self) -> Board:
        if self._session is None:
            raise RuntimeError("a board is measured on within a session")
        return self._session


def _board_checks(connection: Connection, settings: SshSettings) -> Iterator[Check]:
    """Check what a session needs, in its order."""
    step = "folder and Python"
    try:
        with open_board(connection, settings.folder, settings.python) as board:
            yield Check("folder", True, f"{board.folder} was made, and is removed again")
            yield Check("Python", True, f"{board.python.command} is {board.python.version}")
            step = "push"
            board.push_runner()
            free = board.free_bytes()
            yield Check("push", True, f"the runner arrived, {free / 1e6:.0f} MB are left")
            step = "runner"
            yield from _runtime_checks(board)
            found, now = board.ask("fingerprint"), board.ask("conditions")
            heat = now["temperature_celsius"]
            yield Check(
                "board",
                True,
                f"{found['model'] or found['cpu']}, {found['hardware_threads']} hardware threads, "
                + ("no thermal sensor" if heat is None else f"{heat:.0f} degrees Celsius"),
            )
            yield _governor_check(now["governor"])
    except AffnetError as error:
        yield Check.failed(step, error)


def _runtime_checks(board: Board) -> list[Check]:
    """Look for each runtime; one of them is needed."""
    found = []
    lacking = board.lacking_wheels()
    for runtime, packages in NEEDED.items():
        if python := board.python_with(runtime):
            found.append(Check(runtime, True, f"in {python.command}", needed=False))
        else:
            remedy: str | None = f"there: {board.installation(runtime, packages.values())}"
            sentence = f"not installed for {board.python.command}"
            if lacking is not None:
                sentence, remedy = lacking.problem, lacking.remedy
            found.append(Check(runtime, False, sentence, remedy, needed=False))
    if not any(check.passed for check in found):
        remedy = "affnet bench MODEL --device ... --install"
        if lacking is not None:
            remedy = lacking.remedy
        found.append(Check("a runtime", False, "none of these is installed", remedy))
    return found


def _governor_check(governor: str | None) -> Check:
    if governor in ("powersave", "conservative", "ondemand"):
        remedy = (
            "there: echo performance | "
            "sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        )
        return Check("governor", False, f"{governor} lets results vary", remedy, needed=False)
    return Check("governor", True, governor or "none to be seen")
