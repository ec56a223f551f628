"""An ssh connection for code that is not asynchronous.

asyncssh runs in a thread of its own, which sleeps while nothing is sent.  Every command reaches the
board's shell quoted, and whatever a login script prints before it is dropped.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import shlex
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from affnet.devices.ssh.login import CONNECT_TIMEOUT_S, Target, log_in
from affnet.devices.worker.channel import ending
from affnet.errors import ConnectionLostError, MeasurementError, first_line
from affnet.processes import TooMuchOutputError

if TYPE_CHECKING:
    import asyncssh

COMMAND_TIMEOUT_S = 60.0
PUSH_TIMEOUT_S = 1800.0
_MARK = "affnet:"  # begins the first line that is ours
_TAIL_CHARACTERS = 4000
_BLOCK = 1 << 16
_LARGEST_ANSWER = 4_000_000  # characters: pip reports thousands of lines where it fails
_LARGEST_GREETING = 1_000_000  # of login scripts, before our first line

_T = TypeVar("_T")


@dataclass(frozen=True)
class Finished:
    """What a command left behind; a negative code is a signal."""

    code: int
    out: str
    err: str


class Connection:
    """Runs commands on a board and copies files to it, between `log_in` and `close`."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._stopping = False
        self._pending: set[concurrent.futures.Future[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._connection: asyncssh.SSHClientConnection | None = None

    def log_in(self) -> None:
        """Connect and authenticate; see `affnet.devices.ssh.login.log_in`."""
        self._connection = self.wait(log_in(self.target), 3 * CONNECT_TIMEOUT_S)

    def close(self) -> None:
        """Close the connection and end its thread; whatever happens, do not raise."""
        if self._connection is not None:
            self._connection.close()
            with contextlib.suppress(Exception):
                self.wait(self._connection.wait_closed(), 5, final=True)
        with contextlib.suppress(Exception):
            self.wait(self._settle(), 5, final=True)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        if not self._thread.is_alive():
            self._loop.close()

    def interrupt(self) -> None:
        """End what is being waited for; from now on only cleaning up is possible."""
        self._stopping = True
        for future in tuple(self._pending):
            future.cancel()

    def run(
        self, script: str, *arguments: str, timeout_s: float | None = None, final: bool = False
    ) -> Finished:
        """Run a shell script with arguments to its end; ``final`` if it cleans up."""
        command = shell_command(f"echo {_MARK}; {script}", arguments)
        timeout_s = timeout_s or COMMAND_TIMEOUT_S
        with self.losses(f"while {self.target} was asked something"):
            done = self.wait(self._run(command), timeout_s, final=final)
        out = done.out.partition(_MARK + "\n")[2]
        return Finished(done.code, out, done.err)

    def open(self, script: str, *arguments: str, label: str) -> SshChannel:
        """Start a shell script whose first line is ``affnet:SOMETHING``, and talk to it."""
        with self.losses(f"while {label} was being started"):
            channel = SshChannel(self, label)
            self.wait(channel.begin(self.live, shell_command(script, arguments)), COMMAND_TIMEOUT_S)
        return channel

    def push(self, content: Path | bytes, remote: str) -> None:
        """Copy a file to the board; its name is never seen by a shell."""
        with self.losses(f"while {Path(remote).name} was being pushed"):
            self.wait(self._push(content, remote), PUSH_TIMEOUT_S)

    @property
    def live(self) -> asyncssh.SSHClientConnection:
        """The connection, logged in."""
        assert self._connection is not None
        return self._connection

    def wait(self, work: Coroutine[Any, Any, _T], timeout_s: float, *, final: bool = False) -> _T:
        """Let the connection's thread do ``work``; raise `TimeoutError` if it takes too long."""
        if self._stopping and not final:
            work.close()
            raise MeasurementError(f"Measuring on {self.target} was stopped.")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        if not final:
            self._pending.add(future)
            if self._stopping:  # meanwhile
                future.cancel()
        try:
            return future.result(timeout_s)
        except concurrent.futures.CancelledError:
            raise MeasurementError(f"Measuring on {self.target} was stopped.") from None
        except concurrent.futures.TimeoutError:
            raise TimeoutError(f"no answer for {timeout_s:.0f} s") from None
        finally:
            future.cancel()  # of no effect on what is done
            self._pending.discard(future)

    @contextmanager
    def losses(self, when: str) -> Iterator[None]:
        """Turn what is raised when a connection goes down, or times out, into one sentence."""
        import asyncssh

        try:
            yield
        except TooMuchOutputError as error:
            raise MeasurementError(f"{self.target} sent {error} {when}; it was stopped.") from error
        except (asyncssh.SFTPError, asyncssh.ChannelOpenError) as error:
            if isinstance(error, asyncssh.SFTPConnectionLost) or self.live.is_closed():
                raise ConnectionLostError(f"{self.target} was lost {when}.") from error
            hint = ""
            if isinstance(error, asyncssh.ChannelOpenError):
                hint = "; measure fewer models at once, or raise MaxSessions in its sshd_config"
            raise MeasurementError(
                f"{self.target} refused {when}: {first_line(error)}{hint}."
            ) from error
        except TimeoutError as error:
            raise MeasurementError(f"{self.target} gave no answer {when}: {error}.") from error
        except (asyncssh.Error, OSError) as error:
            raise ConnectionLostError(f"{self.target} was lost {when}.") from error

    async def _run(self, command: str) -> Finished:
        process = await self.live.create_process(command, errors="replace")
        try:
            process.stdin.write_eof()
            out, err = await asyncio.gather(_all_of(process.stdout), _all_of(process.stderr))
            await process.wait_closed()
        finally:
            process.close()
        if process.returncode is None:
            raise ConnectionResetError
        return Finished(process.returncode, out, err)

    async def _push(self, content: Path | bytes, remote: str) -> None:
        async with self.live.start_sftp_client() as sftp:
            if isinstance(content, bytes):
                async with sftp.open(remote, "wb") as file:
                    await file.write(content)
            else:
                await sftp.put(str(content), remote)

    async def _settle(self) -> None:
        """End what still runs in the loop, so that nothing is left half done when it stops."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close a turn later


class SshChannel:
    """Carries lines to a process on the board; see `affnet.devices.worker.channel.Channel`."""

    def __init__(self, connection: Connection, label: str) -> None:
        self._connection = connection
        self._label = label
        self._stderr = ""
        self._text = ""  # of stdout that is not yet a line
        self.first = ""

    async def begin(self, connection: asyncssh.SSHClientConnection, command: str) -> None:
        """Start the command and read its first line."""
        self._process = await connection.create_process(command, errors="replace")
        self._drain = asyncio.ensure_future(self._read_stderr())
        said = 0
        while line := await self._line(_LARGEST_GREETING - said):
            said += len(line)
            if line.startswith(_MARK):  # what came before is a login script's
                self.first = line.removeprefix(_MARK).rstrip("\n")
                return

    def send(self, line: str) -> None:
        """See `Channel.send`."""
        self._connection.wait(self._send(line), COMMAND_TIMEOUT_S)

    def receive(self, timeout_s: float, largest: int) -> str:
        """See `Channel.receive`."""
        with self._lost_if_not_ended():
            line = self._connection.wait(self._line(largest), timeout_s)
            if not line:
                self._connection.wait(self._ended(), COMMAND_TIMEOUT_S)
        return line

    def how_it_ended(self) -> str:
        """See `Channel.how_it_ended`."""
        with self._lost_if_not_ended():
            self._connection.wait(self._ended(), COMMAND_TIMEOUT_S)
        return ending(self._process.returncode or 0, self._stderr)

    def finish(self, timeout_s: float) -> None:
        """Let the process read the end of its input, and wait until it has ended."""
        self._connection.wait(self._finish(), timeout_s, final=True)

    async def _line(self, largest: int) -> str:
        """Return the next line; asyncssh's own are no longer than its window."""
        searched = 0
        while (end := self._text.find("\n", searched)) < 0:
            if (searched := len(self._text)) > largest:
                raise TooMuchOutputError(largest)
            if not (text := await self._process.stdout.read(_BLOCK)):
                end = len(self._text)
                break
            self._text += text
        line, self._text = self._text[: end + 1], self._text[end + 1 :]
        return line

    async def _send(self, line: str) -> None:
        if self._process.stdin.is_closing():
            raise BrokenPipeError
        self._process.stdin.write(line)
        await self._process.stdin.drain()

    async def _read_stderr(self) -> None:
        with contextlib.suppress(Exception):  # whoever waits for an answer reports the loss
            while text := await self._process.stderr.read(_TAIL_CHARACTERS):
                self._stderr = (self._stderr + text)[-_TAIL_CHARACTERS:]

    async def _ended(self) -> None:
        await self._process.wait_closed()
        await self._drain
        if self._process.returncode is None:
            raise ConnectionResetError

    async def _finish(self) -> None:
        if not self._process.stdin.is_closing():
            self._process.stdin.write_eof()
        await self._process.wait_closed()

    @contextmanager
    def _lost_if_not_ended(self) -> Iterator[None]:
        import asyncssh

        try:
            yield
        except TimeoutError:
            raise
        except (asyncssh.Error, OSError) as error:
            raise ConnectionLostError(
                f"{self._connection.target} was lost while it was {self._label}."
            ) from error


async def _all_of(stream: asyncssh.SSHReader[str]) -> str:
    """Return all that a command writes, unless that is more than any answer."""
    parts, length = [], 0
    while text := await stream.read(_BLOCK):
        parts.append(text)
        if (length := length + len(text)) > _LARGEST_ANSWER:
            raise TooMuchOutputError(_LARGEST_ANSWER)
    return "".join(parts)


def shell_command(script: str, arguments: tuple[str, ...]) -> str:
    """Return what makes any login shell run a POSIX script with arguments."""
    return shlex.join(["sh", "-c", script, "affnet", *arguments])
