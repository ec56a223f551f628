"""A channel through the pipes of a child process."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from typing import IO

from affnet.devices.worker.channel import ending


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
