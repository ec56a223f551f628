"""The parent's end of the process that measures by coremltools."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affnet.devices.apple.discovery import Attached
from affnet.devices.worker.channel import (
    ANSWER_TIMEOUT_S,
    RUN_TIMEOUT_S,
    Conversation,
    RemoteProcess,
)
from affnet.devices.worker.pipe_channel import PipeChannel
from affnet.errors import MeasurementError
from affnet.placement import PlacedOperator, Placement
from affnet.processes import LARGEST_OUTPUT, module_command, module_environment

PREPARE_TIMEOUT_S = 900.0  # Xcode builds the model runner meanwhile
_RUNS_PER_REQUEST = 20  # on a device, where each takes seconds
_END_TIMEOUT_S = 2.0
#: The units that are hoped for with each choice of compute units.
_ASKED = {
    "all": ("ane", "gpu"),
    "cpu_and_ne": ("ane",),
    "cpu_and_gpu": ("gpu",),
    "cpu_only": ("cpu",),
}


class Service(Conversation):
    """A service that runs; made by `open_service`."""

    def __init__(self, process: subprocess.Popen[str], label: str) -> None:
        self.channel = PipeChannel(process)
        self._process = process
        self._loaded = 0
        super().__init__(self.channel, label)

    def devices(self) -> list[Attached]:
        """Return the devices that Xcode has paired."""
        found = self._ask({"command": "devices"}, ("devices",), ANSWER_TIMEOUT_S)["devices"]
        try:
            return [Attached(**device) for device in found]
        except TypeError:
            raise self._nonsense(json.dumps(found)) from None

    def prepare(self, device: Attached, folder: str, **credentials: str | None) -> None:
        """Build the model runner in ``folder``, and launch it on the device."""
        request = {"command": "prepare", "device": device.name, "identifier": device.identifier}
        self._ask({**request, "folder": folder, **credentials}, ("prepared",), PREPARE_TIMEOUT_S)

    def load(self, job: dict[str, Any], label: str) -> CoreMlProcess:
        """Load a model beside those that are loaded."""
        self._loaded += 1
        return CoreMlProcess(self.channel, job, label, self._loaded)

    def interrupt(self) -> None:
        """End the service, and what it started: Xcode's tools."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended
            os.killpg(self._process.pid, signal.SIGKILL)


@contextmanager
def open_service(label: str, tools: Path | None) -> Iterator[Service]:
    """Start a service; ``tools`` is the folder of Xcode's, which coremltools looks for on PATH."""
    environment = module_environment()
    if tools is not None:
        environment["PATH"] = os.pathsep.join([environment.get("PATH", os.defpath), str(tools)])
    process = subprocess.Popen(
        module_command("affnet.devices.apple.service"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # a group of its own: what it started can be ended with it
        text=True,
        encoding="utf-8",
    )
    service = Service(process, label)
    try:
        yield service
    finally:
        _finish(process, service)


def _finish(process: subprocess.Popen[str], service: Service) -> None:
    """Let the service end the model runner, then end whatever is left."""
    assert process.stdin is not None  # a pipe was asked for
    with contextlib.suppress(OSError):  # what was left in the buffer
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_TIMEOUT_S)
    service.interrupt()
    process.wait()
    if process.stdout is not None:
        with contextlib.suppress(OSError):
            process.stdout.close()


class CoreMlProcess(RemoteProcess):
    """A `affnet.devices.base.PlacingProcess`: one of the models that a service has loaded."""

    def __init__(self, channel: PipeChannel, job: dict[str, Any], label: str, number: int) -> None:
        self._number = number
        self._job = job
        # the GPU and the Neural Engine compute in float16, whatever the file says
        self.arithmetic = "fp32" if job["compute_units"] == "cpu_only" else "fp16"
        super().__init__(channel, {"command": "load", **job}, label)

    def run(self, iterations: int, discard: int = 0) -> Sequence[int]:
        """See `MeasuringProcess.run`."""
        if not self._job["remote"]:
            return super().run(iterations, discard)
        samples: list[int] = []
        for first in range(0, discard + iterations, _RUNS_PER_REQUEST):
            samples += super().run(min(_RUNS_PER_REQUEST, discard + iterations - first))
        return samples[discard:]

    def placement(self) -> Placement | str:
        """See `PlacingProcess.placement`: the compute plan, the most expensive operator first."""
        answer = self._ask({"command": "placement"}, ("operators",), RUN_TIMEOUT_S)
        if (found := answer["operators"]) is None:
            return f"Core ML did not report what runs where: {answer.get('reason')}"
        try:
            operators = tuple(
                PlacedOperator(**{**one, "supported": tuple(one["supported"])}) for one in found
            )
        except (KeyError, TypeError):
            raise self._nonsense(json.dumps(found)) from None
        asked = _ASKED[self._job["compute_units"]]
        return Placement(asked, tuple(_with_reason(one, asked) for one in operators))

    def caveats(self) -> Sequence[str]:
        """See `QualifiedProcess.caveats`."""
        units = (
            f"Core ML may use {self._job['compute_units'].replace('_', ' ')} of the compute units"
        )
        caveats = [f"{units} and chooses its threads itself"]
        if self._job["remote"]:
            caveats.append(
                "coremltools sends each prediction to the device by itself, seconds apart, so "
                "that processors and caches are those of a device at rest, and does not report "
                "its memory, load and heat"
            )
        return caveats

    def unload(self) -> None:
        """Free the model; a service that has ended, or is stuck, has nothing to free."""
        with contextlib.suppress(MeasurementError):
            self._ask({"command": "unload"}, ("unloaded",), ANSWER_TIMEOUT_S)

    def _ask(
        self,
        request: dict[str, Any],
        expected: tuple[str, ...],
        timeout_s: float,
        largest: int = LARGEST_OUTPUT,
    ) -> dict[str, Any]:
        addressed = {"model": self._number, "device": self._job["device"], **request}
        return super()._ask(addressed, expected, timeout_s, largest)

    def warnings(self) -> Sequence[str]:
        """See `QualifiedProcess.warnings`: a deviation from the plan is not reported."""
        return []


def _with_reason(one: PlacedOperator, asked: tuple[str, ...]) -> PlacedOperator:
    """Say why an operator is on none of the units that were asked for."""
    if one.unit in asked:
        return one
    could = [unit for unit in asked if unit in one.supported]
    why = f"{'/'.join(could)} could run it" if could else f"{'/'.join(asked)} cannot run it"
    return dataclasses.replace(one, reason=why)
