"""A place of labgrid, for as long as a measurement takes; `holder` is what keeps it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from affnet.devices.base import Progress
from affnet.errors import (
    AffnetError,
    ConnectionLostError,
    MeasurementError,
    MissingError,
    from_wire,
    require,
)
from affnet.processes import Tail, module_command, module_environment
from affnet.reading import parse_json

_RELEASE_TIMEOUT_S = 20.0


class Place:
    """A place that is waited for, held, and given back."""

    def __init__(self, name: str, coordinator: str | None) -> None:
        self.name = name
        self._coordinator = coordinator
        self._process: subprocess.Popen[str] | None = None
        self._watcher: threading.Thread | None = None
        self._lost: str | None = None

    def state(self) -> str:
        """Say whose the place is.

        Raises:
            MissingError: labgrid is not installed, or its coordinator does not answer.
            UsageError: there is no such place.
        """
        with self._started(None) as process:
            return str(self._next(process)["state"])

    @contextmanager
    def held(
        self, wait_s: float, progress: Progress, on_loss: Callable[[], None]
    ) -> Iterator[list[dict[str, Any]]]:
        """Wait for the place and acquire it; yield its resources; give it back whatever happens.

        If it is taken away, ``on_loss`` is called from another thread, to end what goes on there.

        Raises:
            MissingError: as `state`, or it stays another's for ``wait_s``.
            UsageError: there is no such place.
            ConnectionLostError: it was taken away, which explains any other error.
        """
        self._lost = None
        with self._started(wait_s) as process:
            while "held" not in (event := self._next(process)):
                progress(event["waiting"])
            self._watcher = threading.Thread(target=self._watch, args=(process, on_loss))
            self._watcher.start()
            try:
                yield event["held"]
            except AffnetError as error:
                if self._lost is None:
                    raise
                raise ConnectionLostError(self._lost) from error
        self.check()

    def check(self) -> None:
        """Raise `ConnectionLostError` if the place was taken away."""
        if self._lost is not None:
            raise ConnectionLostError(self._lost)

    def stop_waiting(self) -> None:
        """End the waiting for the place in another thread."""
        if (process := self._process) is not None:
            _close(process)

    @contextmanager
    def _started(self, wait_s: float | None) -> Iterator[subprocess.Popen[str]]:
        require("labgrid", extra="labgrid", purpose="Measuring at a place of labgrid")
        process = self._process = subprocess.Popen(
            module_command("affnet.devices.labgrid.holder"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=module_environment(),
            start_new_session=True,  # Ctrl-C reaches this process, which then gives the place back
            text=True,
            encoding="utf-8",
        )
        assert process.stdin and process.stdout and process.stderr  # pipes were asked for
        self._errors = Tail(process.stderr)
        request = {"place": self.name, "coordinator": self._coordinator, "wait_s": wait_s}
        try:
            with contextlib.suppress(BrokenPipeError):  # what it said last is read below
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            yield process
        finally:
            self._process = None
            _close(process)
            try:
                process.wait(_RELEASE_TIMEOUT_S)
            except subprocess.TimeoutExpired:  # the coordinator hangs
                process.kill()
                process.wait()
            if self._watcher is not None:  # it reads to the end, which this is
                self._watcher.join()
                self._watcher = None
            process.stdout.close()

    def _next(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """Return the next event, unless it is an error."""
        assert process.stdout is not None
        if not (line := process.stdout.readline()):
            if self._process is not None and (said := self._errors.text().strip()):
                raise MissingError(f"labgrid's client failed: {said.splitlines()[-1][:300]}")
            raise MeasurementError(f"Waiting for place {self.name} was stopped.")
        event: dict[str, Any] = parse_json(line)
        if "error" in event:
            raise from_wire(event["error"])
        return event

    def _watch(self, process: subprocess.Popen[str], on_loss: Callable[[], None]) -> None:
        """Read what is said while the place is held, which is only of its loss."""
        assert process.stdout is not None
        line = process.stdout.readline()
        if line:
            self._lost = parse_json(line)["lost"]
        elif self._process is not None:
            self._lost = f"What held place {self.name} has ended while it was measured on."
        else:
            return
        on_loss()


def _close(process: subprocess.Popen[str]) -> None:
    """Let the holder give the place back and end."""
    assert process.stdin is not None
    with contextlib.suppress(OSError, ValueError):
        process.stdin.close()
