"""Starting the process that drives a browser, and leaving nothing of it behind."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from affnet.devices.worker.pipe_channel import PipeChannel
from affnet.processes import module_command, module_environment

if TYPE_CHECKING:
    import psutil

# A browser's socket stands in the folder, and its path may have some 100 characters: a Mac's own
# folder for temporary files leaves no space for its name.
_LONGEST_PARENT = 32
_GOODBYE_S = 15.0  # for closing a browser well
_END_S = 5.0  # for a browser that has lost its driver


class Processes:
    """The drivers that are running; they can be ended from another thread."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()

    @contextmanager
    def start(self) -> Iterator[PipeChannel]:
        """Start a driver; at the end it, its browser and their files are gone.

        The driver closes the browser when its input ends, which the end of this process brings
        about too.  A browser that does not let itself be closed is found by its temporary folder,
        which is its own, and killed.
        """
        short = len(tempfile.gettempdir()) <= _LONGEST_PARENT
        folder = tempfile.mkdtemp(prefix="affnet-browser-", dir=None if short else "/tmp")  # noqa: S108
        try:
            yield from self._drive(folder)
        finally:
            _end_all(folder)
            shutil.rmtree(folder, ignore_errors=True)

    def _drive(self, folder: str) -> Iterator[PipeChannel]:
        process = subprocess.Popen(
            [*module_command("affnet.devices.browser.worker"), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**module_environment(), "TMPDIR": folder},  # Playwright's and the browser's
            start_new_session=True,  # Ctrl-C reaches the parent, which then ends it
            text=True,
            encoding="utf-8",
        )
        self._running.add(process)
        try:
            yield PipeChannel(process)
        finally:
            if process.stdin is not None:
                with contextlib.suppress(OSError):  # what was left in the buffer
                    process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GOODBYE_S)
            process.kill()
            process.wait()
            self._running.discard(process)
            if process.stdout is not None:
                with contextlib.suppress(OSError):
                    process.stdout.close()

    def interrupt(self) -> None:
        """End the drivers, and so their browsers."""
        for process in tuple(self._running):
            process.kill()


def _end_all(folder: str) -> None:
    """Wait until no process uses ``folder`` any more, then end those that do."""
    import psutil

    deadline = time.monotonic() + _END_S
    while users := _users_of(folder):
        if time.monotonic() > deadline:
            for process in users:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(users, timeout=_END_S)
            return
        time.sleep(0.1)


def _users_of(folder: str) -> list[psutil.Process]:
    """Return the processes that were started with the folder's name among their arguments."""
    import psutil

    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(folder in argument for argument in process.info["cmdline"] or ())
    ]
