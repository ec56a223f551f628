"""A phone that is in use: its folder, what is pushed, and what runs there.

A shell on the phone, the watchdog, waits for its input to end, which it does when the session is
over, when this machine is killed and when the cable is pulled.  It then ends what runs in the
session's folder and removes it.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from affnet.devices.android.adb_client import Adb, Done
from affnet.devices.worker.channel import ANSWER_TIMEOUT_S
from affnet.devices.worker.pipe_channel import PipeChannel
from affnet.errors import DeviceSpaceError, MeasurementError
from affnet.files import file_sha256, scratch_folder
from affnet.processes import LARGEST_OUTPUT, TooMuchOutputError

_READY = "affnet-ready"
_READY_TIMEOUT_S = 30.0
_SHOWN = 200  # characters of what a phone says
_LARGEST_FILE = 256_000_000  # bytes of what a tool writes: outputs, or a profile
_CLEANUP_TIMEOUT_S = 10.0
_SPARE_BYTES = 20_000_000  # that a system needs to stay well
# Ends a program of the session by its number; another process may have got it meanwhile.
_KILL = """
end() {
  pid=$(cat "$2") || return
  if tr '\\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$1"; then kill -9 "$pid"; fi
}
"""
_WATCHDOG = (
    _KILL
    + f"""
mkdir "$1" && chmod 700 "$1" || exit 1
trap '' HUP INT TERM PIPE
echo {_READY}
cat >/dev/null
for file in "$1"/*.pid; do
  [ -f "$file" ] && end "$1" "$file" 2>/dev/null
done
rm -rf "$1"
"""
)
_RUN = """
echo $$ >"$1"
shift
exec "$@" 2>&1
"""
# The same, with the program's peak memory so far reported repeatedly until it has ended.
_RUN_WATCHED = """
record=$1
shift
"$@" 2>&1 &
echo $! >"$record"
while grep VmHWM "/proc/$!/status" 2>/dev/null; do sleep 0.01; done
wait $!
"""


class Phone:
    """What can be done within a session; made by `open_phone`."""

    def __init__(self, adb: Adb, folder: str) -> None:
        self.adb = adb
        self.folder = folder
        self._pushed: dict[Path, str] = {}
        self._started = 0
        self._folders = 0

    def free_bytes(self) -> int:
        """Return how much space there is for models."""
        done = self.adb.shell('df -Pk "$1"', self.folder)
        columns = (done.output.strip().splitlines() or [""])[-1].split()
        if done.code or len(columns) < 4 or not columns[3].isdigit():
            raise MeasurementError(
                f"The phone {self.adb.serial} did not report its free space: "
                f"{done.output.strip()[:80]!r}."
            )
        return int(columns[3]) * 1024

    def push(self, path: Path, progress: Callable[[str], None], executable: bool = False) -> str:
        """Copy a file into a folder of its own, so that names may be alike; once per session."""
        if path not in self._pushed:
            progress(f"Pushing {path.name}")
            size, free = path.stat().st_size, self.free_bytes()
            if free < size + _SPARE_BYTES:
                raise DeviceSpaceError(
                    f"The phone {self.adb.serial} has {free / 1e6:.0f} MB free, but {path.name} "
                    f"needs {(size + _SPARE_BYTES) / 1e6:.0f} MB",
                    "free some.",
                )
            folder = f"{self.folder}/{len(self._pushed)}"
            target = f"{folder}/{path.name}"
            self.adb.shell('mkdir "$1"', folder)
            self._check_pushed(path, target, self.adb.push(path, target))
            if executable:
                self.adb.shell('chmod 755 "$1"', target)
            self._pushed[path] = target
        return self._pushed[path]

    def pull(self, remote: str) -> bytes | None:
        """Return the content of a file that a program made there; None if it made none.

        Raises:
            ConnectionLostError: the phone is gone.
            MeasurementError: it is larger than anything that a tool writes.
        """
        size = self.adb.shell('wc -c <"$1"', remote).output.strip()
        if size.isdecimal() and int(size) > _LARGEST_FILE:
            raise MeasurementError(
                f"The phone {self.adb.serial} made {remote} of {int(size) / 1e6:.0f} MB, more than "
                "any tool writes."
            )
        with scratch_folder() as folder:
            path = folder / "pulled"
            done = self.adb.pull(remote, path)
            return None if done.code or not path.is_file() else path.read_bytes()

    def make_folder(self) -> str:
        """Return a new folder for what a program writes."""
        folder = f"{self.folder}/written{self._folders}"
        self._folders += 1
        self.adb.shell('mkdir "$1"', folder)
        return folder

    def pull_all(self, folder: str) -> dict[str, bytes]:
        """Return what stands in a folder that `make_folder` made, by name."""
        names = self.adb.shell('ls "$1"', folder).output.split()
        files = {name: self.pull(f"{folder}/{name}") for name in names}
        return {name: content for name, content in files.items() if content is not None}

    def run(
        self, command: Sequence[str], timeout_s: float = ANSWER_TIMEOUT_S, *, watched: bool = False
    ) -> Done:
        """Run a program of the session's folder; end it if it does not end in time.

        Among the output of one that is ``watched`` stand lines ``VmHWM:  1234 kB`` for its memory.

        Raises:
            TimeoutError: it did not.
            ConnectionLostError: the phone is gone.
        """
        record = f"{self.folder}/{self._started}.pid"
        self._started += 1
        try:
            script = _RUN_WATCHED if watched else _RUN
            return self.adb.shell(script, record, *command, timeout_s=timeout_s)
        except BaseException:
            with contextlib.suppress(Exception):  # a lost phone's watchdog does it
                kill = _KILL + 'end "$1" "$2"'
                self.adb.shell(kill, self.folder, record, timeout_s=_CLEANUP_TIMEOUT_S, final=True)
            raise

    def _check_pushed(self, path: Path, target: str, done: Done) -> None:
        """Raise unless a file arrived whole."""
        phone = f"The phone {self.adb.serial}"
        lines = [line for line in done.output.splitlines() if "error: " in line]
        reason = lines[0].rpartition(": ")[2].removeprefix("remote ") if lines else "no reason"
        if done.code and "No space left" in reason:
            raise DeviceSpaceError(f"{phone} has no space left for {path.name}", "free some.")
        if done.code:
            raise MeasurementError(f"{phone} did not take {path.name}: {reason}.")
        reported = self.adb.shell('sha256sum <"$1"', target).output.split()
        if reported[:1] != [file_sha256(path)]:
            raise MeasurementError(f"{phone} holds another {path.name} than was pushed.")


@contextmanager
def open_phone(adb: Adb, parent: str) -> Iterator[Phone]:
    """Make a folder on the phone for a session; remove it with all that is in it at the end.

    Raises:
        MeasurementError: no folder can be made.
    """
    folder = f"{parent}/affnet-{secrets.token_hex(8)}"
    watchdog = adb.open(_WATCHDOG, folder)
    try:
        channel = PipeChannel(watchdog)  # its errors come on its output
        try:
            first = channel.receive(_READY_TIMEOUT_S, LARGEST_OUTPUT).strip()
        except TimeoutError:
            first = "no answer"
        except TooMuchOutputError as error:
            first = f"it sends {error} in one line"
        if first != _READY:
            raise MeasurementError(
                f"No folder can be made in {parent} on the phone {adb.serial}: "
                f"{first[:_SHOWN].removeprefix('error: ') or 'it said nothing'}."
            )
        yield Phone(adb, folder)
    finally:
        _finish(watchdog)


def _finish(watchdog: subprocess.Popen[str]) -> None:
    """Let the watchdog clean up."""
    with contextlib.suppress(OSError):
        assert watchdog.stdin is not None  # a pipe was asked for
        watchdog.stdin.close()
    try:
        watchdog.wait(_CLEANUP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        watchdog.kill()
        watchdog.wait()
    if watchdog.stdout is not None:
        with contextlib.suppress(OSError):
            watchdog.stdout.close()
