"""A channel through the pipes of a child process."""

from __future__ import annotations

import subprocess

from affnet.devices.worker.channel import ending
from affnet.processes import LineReader, Tail


class PipeChannel:
    """Carries lines through the pipes of a child process.

    Nothing is read ahead: a process that writes unasked fills its pipe and waits.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # a pipe was asked for
        self._process = process
        self._lines = LineReader(process.stdout)
        self._errors = Tail(process.stderr) if process.stderr is not None else None

    def send(self, line: str) -> None:
        """See `Channel.send`."""
        assert self._process.stdin is not None  # a pipe was asked for
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def receive(self, timeout_s: float, largest: int) -> str:
        """See `Channel.receive`."""
        return self._lines.line(timeout_s, largest)

    def returncode(self) -> int | None:
        """Return the exit code of the process, negative for a signal; None while it runs."""
        return self._process.poll()

    def how_it_ended(self) -> str:
        """See `Channel.how_it_ended`."""
        code = self._process.wait()
        return ending(code, self._errors.text() if self._errors else "")
