"""Talking to a phone through the ``adb`` client, which must be installed.

`Adb.shell` passes a script's arguments as words that the phone's shell does not read, and has the
phone itself write the exit code at the end: the client of a phone that was lost ends with 0.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from affnet.errors import ConnectionLostError, MeasurementError, MissingError, UnreachableError
from affnet.processes import TooMuchOutputError, collect, run_bounded

COMMAND_TIMEOUT_S = 30.0
PUSH_TIMEOUT_S = 600.0
_END = re.compile(r"\r?\naffnet:(\d+)\r?\n?\Z")
_PURPOSE = "Measuring on an Android phone needs adb, which is not installed"


@dataclass(frozen=True)
class Done:
    """A finished command; ``output`` holds what it wrote, errors included."""

    code: int
    output: str


@dataclass(frozen=True)
class Listed:
    """A phone as ``adb devices`` lists it."""

    serial: str
    state: str  # "device" is one that can be used


def find_adb() -> str:
    """Return the path of the adb client.

    Raises:
        MissingError: it is not installed.
    """
    if found := shutil.which("adb"):
        return found
    mac = sys.platform == "darwin"
    command = "brew install android-platform-tools" if mac else "sudo apt-get install adb"
    raise MissingError(f"{_PURPOSE}", f"run: {command}")


# The first call starts adb's server, and several at once start several, of which all but one fail.
_starting = threading.Lock()


def list_phones(adb: str) -> list[Listed]:
    """Return what is attached, whatever its state.

    Raises:
        MissingError: adb does not work.
    """
    try:
        with _starting:
            code, out, err = run_bounded([adb, "devices"], COMMAND_TIMEOUT_S)
    except TimeoutError:
        raise MissingError("adb gives no answer", "run: adb kill-server") from None
    except TooMuchOutputError as error:
        raise MissingError(
            f"adb lists phones without end ({error})", "run: adb kill-server"
        ) from None
    if code:
        reason = (err.strip() or "it said nothing").splitlines()[-1]
        raise MissingError(f"adb cannot list phones ({reason})", "run: adb kill-server")
    return parse_devices(out)


def parse_devices(text: str) -> list[Listed]:
    """Read the lines of ``adb devices``: a serial number, a tab, a state."""
    rows = (line.partition("\t") for line in text.splitlines())
    return [Listed(serial, state.strip()) for serial, tab, state in rows if tab]


def check_state(phone: Listed) -> None:
    """Raise `UnreachableError`, with what fixes it, unless a phone can be used."""
    remedies = {
        "unauthorized": (
            "has not authorized this computer",
            "unlock it and confirm 'Allow USB debugging' on its screen.",
        ),
        "authorizing": (
            "is being authorized",
            "confirm 'Allow USB debugging' on its screen.",
        ),
        "offline": ("is offline", f"plug it in again, or run: adb -s {phone.serial} reconnect"),
        "no permissions": (
            "may not be opened by this user",
            "run: sudo apt-get install android-sdk-platform-tools-common",
        ),
    }
    if phone.state == "device":
        return
    for state, (problem, remedy) in remedies.items():
        if phone.state.startswith(state):
            raise UnreachableError(f"The phone {phone.serial} {problem}", remedy)
    raise UnreachableError(
        f"The phone {phone.serial} is in the state {phone.state!r}", "start it into Android."
    )


class Adb:
    """One phone, by its serial number."""

    def __init__(self, program: str, serial: str) -> None:
        self.serial = serial
        self._program = program
        self._running: set[subprocess.Popen[bytes]] = set()
        self._interrupted = False

    def shell(
        self,
        script: str,
        *arguments: str,
        timeout_s: float = COMMAND_TIMEOUT_S,
        final: bool = False,
    ) -> Done:
        """Run a script on the phone, which gets ``arguments`` as ``$1``, ``$2``, ..

        ``final`` commands, which clean up, run after an interruption too.

        Raises:
            TimeoutError: it did not end in time; it may still run there.
            ConnectionLostError: the phone is gone.
        """
        done = self._run(self.shell_arguments(script, *arguments), timeout_s, final)
        end = _END.search(done.output)
        if end is None:
            raise self._lost(done.output)
        return Done(int(end[1]), done.output[: end.start()])

    def shell_arguments(self, script: str, *arguments: str) -> list[str]:
        """Return the client's arguments for a script; the phone's shell reads one quoted line."""
        line = shlex.join(["sh", "-c", script, "affnet", *arguments])
        # no terminal: it would change line ends, and the script's input could not end
        return ["shell", "-T", f"{line}; printf '\\naffnet:%s\\n' \"$?\""]

    def push(self, path: Path, target: str) -> Done:
        """Copy a file; a code other than 0 comes with the client's reason.

        Raises:
            ConnectionLostError: the phone is gone.
        """
        try:
            done = self._run(["push", str(path.resolve()), target], PUSH_TIMEOUT_S)
        except TimeoutError:
            raise MeasurementError(
                f"Pushing {path.name} to {self.serial} took over {PUSH_TIMEOUT_S:.0f} s."
            ) from None
        if done.code and not self.is_there():
            raise self._lost(done.output)
        return done

    def pull(self, source: str, path: Path) -> Done:
        """Fetch a file; a code other than 0 comes with the client's reason.

        Raises:
            ConnectionLostError: the phone is gone.
        """
        try:
            done = self._run(["pull", source, str(path)], PUSH_TIMEOUT_S)
        except TimeoutError:
            raise MeasurementError(
                f"Pulling {path.name} from {self.serial} took over {PUSH_TIMEOUT_S:.0f} s."
            ) from None
        if done.code and not self.is_there():
            raise self._lost(done.output)
        return done

    def is_there(self) -> bool:
        """Whether the phone can still be used."""
        try:
            done = self._run(["get-state"], COMMAND_TIMEOUT_S)
        except TimeoutError:
            return False
        return done.code == 0 and done.output.strip() == "device"

    def open(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a script whose input and output are pipes."""
        return subprocess.Popen(
            [self._program, "-s", self.serial, *self.shell_arguments(script, *arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the parent, which then cleans up
            text=True,
            encoding="utf-8",
            errors="replace",
        )

    def interrupt(self) -> None:
        """End what runs; nothing but final commands starts any more."""
        self._interrupted = True
        for process in tuple(self._running):
            process.kill()

    def _run(self, arguments: list[str], timeout_s: float, final: bool = False) -> Done:
        if self._interrupted and not final:
            raise MeasurementError(f"Measuring on {self.serial} was stopped.")
        process = subprocess.Popen(
            [self._program, "-s", self.serial, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._running.add(process)
        try:
            output, _ = collect(process, timeout_s)
        except TooMuchOutputError as error:
            raise MeasurementError(
                f"The phone {self.serial} sent {error} in answer to one command; it was stopped."
            ) from None
        finally:
            process.kill()
            process.wait()
            self._running.discard(process)
            if process.stdout is not None:
                process.stdout.close()
        return Done(process.returncode, output)

    def _lost(self, said: str) -> ConnectionLostError:
        lines = [line.strip() for line in said.splitlines() if "error: " in line]
        reason = lines[-1].rpartition("error: ")[2] if lines else "it ended without a word"
        return ConnectionLostError(f"The connection to the phone {self.serial} was lost: {reason}.")
