"""A board that is logged in to: its folder, its Python, and what runs there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from affnet.devices.ssh.connection import Connection, SshChannel
from affnet.devices.worker.board_main import ALONE, NEEDED
from affnet.devices.worker.bundle import runner_file
from affnet.devices.worker.executorch_library import library
from affnet.errors import ConnectionLostError, DeviceSpaceError, MeasurementError, MissingError
from affnet.files import all_files, content_bytes
from affnet.reading import parse_json
from affnet.runtimes.executorch_native import LIBRARY

_OLDEST_PYTHON = (3, 9)
_INSTALL_TIMEOUT_S = 1800.0
_SPARE_BYTES = 10_000_000  # that a system needs to stay well
_CLEANUP_TIMEOUT_S = 10.0
# Makes the session's folder, and removes it when its input ends: on request, or when the
# connection is gone.  Only processes that were started from the folder are ended.
_WATCHDOG = """
umask 077
folder=$(mktemp -d "$1/affnet-XXXXXXXX") || exit 1
trap '' HUP INT TERM PIPE
printf 'affnet:%s\\n' "$folder"
cat >/dev/null
for file in "$folder"/*.pid; do
  [ -f "$file" ] || continue
  pid=$(cat "$file")
  if tr '\\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$folder"; then kill -9 "$pid"; fi
done
rm -rf "$folder"
"""
_WORKER = """
echo $$ >"$1/$2.pid"
printf 'affnet:%s\\n' $$
exec "$3" "$1/runner.pyz" measure
"""
_END_WORKER = """
pid=$(cat "$1/$2.pid")
if tr '\\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$1"; then kill -9 "$pid"; fi
rm -f "$1/$2.pid"
"""
_VERSION = "import sys; sys.stdout.write('%d.%d.%d' % sys.version_info[:3])"  # in any Python
_INSTALL = """
"$1" -m venv "$2" || exit
python=$2/bin/python
shift 2
exec "$python" -m pip install --quiet --disable-pip-version-check "$@"
"""


@dataclass(frozen=True)
class Python:
    """An interpreter on the board."""

    command: str
    version: str


class Board:
    """What can be done within a session; made by `open_board`."""

    def __init__(self, connection: Connection, folder: str, python: str) -> None:
        self._connection = connection
        self._name = str(connection.target)
        self._workers = 0
        self._pushed: dict[Path, PurePosixPath] = {}
        self.folder = PurePosixPath(folder)
        self.python = self.find_python(python)

    def find_python(self, command: str) -> Python:
        """Return what ``command`` is.

        Raises:
            MissingError: there is none, or one that is too old.
        """
        done = self._connection.run('exec "$1" -c "$2"', command, _VERSION)
        version = done.out.strip()
        numbers = version.split(".")
        if done.code or len(numbers) != 3 or not all(map(str.isdecimal, numbers)):
            raise MissingError(
                f"{self._name} has no Python called {command}",
                "run there: sudo apt-get install python3, or set python in the catalog",
            )
        if tuple(map(int, numbers[:2])) < _OLDEST_PYTHON:
            raise MissingError(
                f"{self._name} has Python {version}, but {'.'.join(map(str, _OLDEST_PYTHON))} or "
                "later is needed",
                "install one and set python in the catalog to its path.",
            )
        return Python(command, version)

    def push_runner(self) -> None:
        """Copy the runner into the session's folder."""
        self._copy(runner_file(), self.folder / "runner.pyz")

    def ask(self, question: str, *arguments: str, python: str | None = None) -> dict[str, Any]:
        """Let the runner answer ``look FOLDER``, ``fingerprint`` or ``conditions``."""
        command = (python or self.python.command, str(self.folder / "runner.pyz"), question)
        done = self._connection.run('exec "$@"', *command, *arguments)
        try:
            answer = parse_json(done.out)
        except ValueError:
            answer = None
        if done.code or not isinstance(answer, dict):
            said = (done.err.strip() or done.out.strip() or "it said nothing").splitlines()[-1]
            raise MeasurementError(
                f"The runner on {self._name} did not report its {question}: {said[:200]}"
            )
        return answer

    def free_bytes(self) -> int:
        """Return how much space there is for models."""
        return int(self.ask("look", str(self.folder))["free_bytes"])

    def missing(self, runtime: str, python: str | None = None) -> list[str]:
        """Return which packages ``runtime`` lacks."""
        answer = self.ask("look", str(self.folder), python=python)
        packages: list[str] = answer["missing"][runtime]
        return packages

    def python_with(self, runtime: str) -> Python | None:
        """Return the interpreter that has ``runtime``: the usual one, or that of affnet's venv."""
        if not self.missing(runtime):
            return self.python
        with contextlib.suppress(MissingError):
            own = self.find_python(f"{self._venv()}/bin/python")
            if not self.missing(runtime, own.command):
                return own
        return None

    def lacking_wheels(self) -> MissingError | None:
        """Return why pip finds no runtime for the system there; None where there are wheels."""
        system = self.ask("look", str(self.folder))["userland"]
        if system["bits"] == 32:
            return MissingError(
                f"{self._name} runs a system of 32 bits, which no runtime has wheels for",
                "install one of 64 bits there, such as Raspberry Pi OS (64-bit).",
            )
        if system["libc"] == "musl":
            return MissingError(
                f"{self._name} runs a system with musl, such as Alpine, which no runtime has "
                "wheels for",
                "run there: apk add py3-onnxruntime, or take a system with glibc, such as Debian.",
            )
        return None

    def choose_python(self, runtime: str, install: bool, progress: Callable[[str], None]) -> None:
        """Take an interpreter that has ``runtime``, from now on.

        Raises:
            MissingError: none has it, and it may not or cannot be installed.
        """
        if found := self.python_with(runtime):
            self.python = found
            return
        if lacking := self.lacking_wheels():
            raise lacking
        if not install:
            missing = self.missing(runtime)
            raise MissingError(
                f"{self._name} lacks {' '.join(missing)} for {self.python.command}",
                "let affnet bench --install do it, or run there: "
                + self.installation(runtime, missing),
            )
        progress(f"Installing {runtime} on {self._name}")
        alone = ["--no-deps"] if runtime in ALONE else []
        self._install([*alone, *NEEDED[runtime].values()])
        self.python = self.find_python(f"{self._venv()}/bin/python")

    def push_executorch(self, progress: Callable[[str], None]) -> None:
        """Copy beside the runner what runs ExecuTorch of the version that is there.

        Raises:
            MissingError: it cannot be compiled here.
        """
        found = self.ask("fingerprint")
        progress("Compiling what runs ExecuTorch there, once")
        made = library(found["architecture"], found["packages"]["executorch"])
        self._copy(made, self.folder / LIBRARY)

    def push(self, path: Path, progress: Callable[[str], None]) -> PurePosixPath:
        """Copy a model into a folder of its own, so that names may be alike; once per session.

        The file of its weights, where it has one, stands beside it there too.
        """
        if path not in self._pushed:
            progress(f"Pushing {path.name}")
            target = self.folder / f"model{len(self._pushed)}" / path.name
            size = content_bytes(path)
            if (free := self.free_bytes()) < size + _SPARE_BYTES:
                raise DeviceSpaceError(
                    f"{self._name} has {free / 1e6:.0f} MB free in {self.folder.parent}, but "
                    f"{path.name} needs {(size + _SPARE_BYTES) / 1e6:.0f} MB",
                    "free some, or set folder in the catalog to a place with more.",
                )
            self._connection.run('mkdir "$1"', str(target.parent))
            for file in all_files(path):
                self._copy(file, target.with_name(file.name))
            self._pushed[path] = target
        return self._pushed[path]

    @contextmanager
    def worker(self, label: str) -> Iterator[SshChannel]:
        """Start a measuring process; end it whatever happens."""
        number = str(self._workers)
        self._workers += 1
        channel = self._connection.open(
            _WORKER, str(self.folder), number, self.python.command, label=label
        )
        try:
            yield channel
        finally:
            with contextlib.suppress(Exception):  # a lost board's watchdog does it
                self._connection.run(_END_WORKER, str(self.folder), number, final=True)

    def _copy(self, content: Path | bytes, target: PurePosixPath) -> None:
        try:
            self._connection.push(content, str(target))
        except ConnectionLostError:
            raise
        except MeasurementError as error:
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            done = self._connection.run('df -Pk "$1"', str(self.folder))
            columns = (done.out.strip().splitlines() or [""])[-1].split()
            if len(columns) > 3 and columns[3].isdigit() and int(columns[3]) * 1024 < size:
                raise DeviceSpaceError(
                    f"{self._name} has no space left in {self.folder.parent} for {target.name}",
                    "free some, or set folder in the catalog to a place with more.",
                ) from error
            raise

    def installation(self, runtime: str, packages: Iterable[str]) -> str:
        """Return the command that installs packages by hand where `python_with` looks for them.

        It is a virtual environment because Debian and Raspberry Pi OS refuse pip outside of one.
        """
        venv = "~/.cache/affnet/venv"
        words = " ".join(["--no-deps", *packages] if runtime in ALONE else packages)
        return f"{self.python.command} -m venv {venv} && {venv}/bin/pip install {words}"

    def _venv(self) -> str:
        """Return where affnet's own virtual environment stands there, or would."""
        return self._connection.run('printf %s "$HOME/.cache/affnet/venv"').out

    def _install(self, packages: Sequence[str]) -> None:
        done = self._connection.run(
            _INSTALL, self.python.command, self._venv(), *packages, timeout_s=_INSTALL_TIMEOUT_S
        )
        if done.code == 0:
            return
        said = done.out + done.err
        if "ensurepip" in said:  # Debian's sentence fills a paragraph
            raise MissingError(
                f"{self.python.command} on {self._name} cannot make virtual environments",
                "run there: sudo apt-get install python3-venv",
            )
        lines = [line for line in said.splitlines() if line.strip()]
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"exit code {done.code}"
        raise MissingError(f"Installing on {self._name} failed: {reason}")


@contextmanager
def open_board(connection: Connection, folder: str, python: str) -> Iterator[Board]:
    """Make a folder on the board for a session; remove it with all that is in it at the end.

    Raises:
        MeasurementError: no folder can be made.
        MissingError: see `Board.find_python`.
    """
    watchdog = connection.open(_WATCHDOG, folder, label="kept")
    try:
        if not watchdog.first:
            raise MeasurementError(
                f"No folder can be made in {folder} on {connection.target}: "
                f"{watchdog.how_it_ended().partition(': ')[2]}",
                "set folder in the catalog to another.",
            )
        yield Board(connection, watchdog.first, python)
    finally:
        with contextlib.suppress(Exception):  # a lost board's watchdog does it
            watchdog.finish(_CLEANUP_TIMEOUT_S)
