"""One conversation with Qualcomm AI Hub; `service`, in the client's own Python, leads it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affnet.devices.aihub import service
from affnet.devices.aihub.client_python import INSTALL, client_environment, find_python
from affnet.devices.base import Progress
from affnet.errors import (
    AffnetError,
    ConnectionLostError,
    MeasurementError,
    MissingError,
    UnreachableError,
    UsageError,
    suggestion,
)
from affnet.processes import Tail
from affnet.reading import parse_json
from affnet.units import MEGABYTES

SERVICE = "Qualcomm AI Hub"
_CONFIGURE = "run: qai-hub configure --api_token TOKEN"
_STATES = {
    "CREATED": "waits for a device",
    "PROVISIONING_DEVICE": "gets a device",
    "OPTIMIZING_MODEL": "is prepared",
    "MEASURING_PERFORMANCE": "is measured",
    "RUNNING_INFERENCE": "runs",
}


class Hub:
    """Asks for one device, by a fresh process of the client for each request."""

    def __init__(self, python: str | None, device: str, system: str) -> None:
        self._named, self._device, self._system = python, device, system
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def find(self) -> dict[str, Any]:
        """Return the device's name, system and attributes, and the client's version.

        Raises:
            MissingError: the client or its token is missing, or the service does not answer.
            UsageError: it has no such device.
        """
        with self._asking(None) as events:
            return dict(next(events)["found"])

    def run(self, job: Mapping[str, Any], label: str, progress: Progress) -> Iterator[Any]:
        """Have a job measured; yield what is to be remembered of it, and at last what came of it.

        The former is ``{"uploaded": id}``, ``{"submitted": {"id": .., "url": ..}}`` and, where it
        failed, ``{"ended": id}``, the latter ``{"done": ..}``.

        Raises:
            AffnetError: as `find`, or the job was rejected, or failed.
        """
        shown = ""
        with self._asking(job, label) as events:
            for event in events:
                if "uploading" in event:
                    progress(f"Uploading {label}, {MEGABYTES.text(event['uploading'])}")
                elif "state" in event:
                    state = _STATES.get(event["state"], event["state"])
                    progress(f"{label} {state}, {shown}")
                elif "found" not in event:
                    shown = f"job {event['submitted']['url']}" if "submitted" in event else shown
                    yield event

    def stop(self) -> None:
        """End the request that another thread waits for."""
        self._stopped = True
        if (process := self._process) is not None:
            process.kill()

    @contextmanager
    def _asking(
        self, job: Mapping[str, Any] | None, label: str = ""
    ) -> Iterator[Iterator[dict[str, Any]]]:
        """Start the client's process, and give what it says, up to its last word."""
        if self._stopped:
            raise MeasurementError(f"Waiting for {SERVICE} was stopped.")
        python = find_python(self._named)
        process = self._process = _start(python)
        assert process.stdin and process.stdout and process.stderr  # pipes were asked for
        request = {"device": self._device, "os": self._system, "job": job}
        try:
            with contextlib.suppress(BrokenPipeError):  # what it said last is read below
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            yield self._events(process, python, label, "found" if job is None else "done")
        finally:
            self._process = None
            process.kill()
            process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdout.close()

    def _events(
        self, process: subprocess.Popen[str], python: str, label: str, wanted: str
    ) -> Iterator[dict[str, Any]]:
        """Yield what the client's process says, up to what is wanted of it."""
        assert process.stdout and process.stderr
        errors = Tail(process.stderr)
        for line in process.stdout:
            try:
                event = dict(parse_json(line))
            except (TypeError, ValueError):
                raise MissingError(
                    f"{python} is no Python with the client of {SERVICE}: it said {line[:80]!r}",
                    INSTALL,
                ) from None
            if "error" in event:
                raise self._error(event, python, label)
            yield event
            if wanted in event:
                return
        if self._stopped:
            raise MeasurementError(f"Waiting for {SERVICE} was stopped.")
        said = errors.text().strip().splitlines() or ["nothing"]
        raise MeasurementError(
            f"The client of {SERVICE} in {python} ended early and said: {said[-1][:300]}"
        )

    def _error(self, event: Mapping[str, Any], python: str, label: str) -> AffnetError:
        """Return the error of the kind that the service's process names."""
        kind, said = event["error"], event["said"]
        if kind == "device":
            return self._unknown_device(event["names"], event["systems"])
        if kind == "job":
            reason = f": {said}" if said else ", without a reason"
            return MeasurementError(f"{SERVICE}'s job {event['url']} for {label} failed{reason}")
        made = {
            "no-client": MissingError(
                f"{python} has no qai-hub, the client of {SERVICE} ({said})", INSTALL
            ),
            "old-client": MissingError(
                f"{python} has qai-hub {said}; measuring needs "
                f"{'.'.join(map(str, service.OLDEST))} or newer",
                f"run: {python} -m pip install --upgrade qai-hub",
            ),
            "no-token": MissingError(f"The client of {SERVICE} has no token", _CONFIGURE),
            "token": UnreachableError(f"{SERVICE} refuses the token of its client", _CONFIGURE),
            "quota": MeasurementError(f"{SERVICE} takes no more jobs now: {said}", "try later."),
            "upload": ConnectionLostError(
                f"Uploading {label} to {SERVICE} was interrupted: {said}", "try again."
            ),
            "unreachable": UnreachableError(f"{SERVICE} does not answer: {said}", "try again."),
        }
        rejected = f"{SERVICE} rejects {label or self._device}: {said}"
        return made.get(kind) or MeasurementError(rejected)

    def _unknown_device(self, names: list[str], systems: list[str]) -> UsageError:
        if systems:
            there = ", ".join(systems)
            return UsageError(
                f"{SERVICE} has no {self._device} with the system {self._system!r}",
                f"set os in devices.toml to one that it has, {there}, or omit it.",
            )
        near = suggestion(self._device, names)
        return UsageError(f"{SERVICE} has no device {self._device!r}{near}")


def _start(python: str) -> subprocess.Popen[str]:
    """Start the client's process."""
    try:
        return subprocess.Popen(
            [python, str(Path(service.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=client_environment(),
            text=True,
            encoding="utf-8",
        )
    except OSError as error:
        raise MissingError(f"{python} cannot be started: {error.strerror}", INSTALL) from error
