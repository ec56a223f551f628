"""Measuring processes on this machine, each with pipes to it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from affnet.devices.worker.pipe_channel import PipeChannel


class LocalProcesses:
    """Starts measuring processes here, and ends them whatever happens."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()

    @contextmanager
    def start(
        self, command: Sequence[str], environment: Mapping[str, str]
    ) -> Iterator[PipeChannel]:
        """Start a process that answers on its stdout what it is asked on its stdin."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches the parent, which then ends its workers
            text=True,
            encoding="utf-8",
        )
        self._running.add(process)
        try:
            yield PipeChannel(process)
        finally:
            process.kill()
            process.wait()
            self._running.discard(process)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what was left in the buffer
                        pipe.close()

    def interrupt(self) -> None:
        """End all of them, so that a thread waiting for one goes on."""
        for process in tuple(self._running):
            process.kill()
