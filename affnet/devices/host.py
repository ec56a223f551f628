"""This machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from affnet.artifact import Artifact
from affnet.devices import accelerators
from affnet.devices.base import (
    Capabilities,
    Check,
    Progress,
    Settings,
)
from affnet.devices.worker import host_probes
from affnet.devices.worker.channel import RemoteProcess, describe_job
from affnet.devices.worker.local_process import LocalProcesses
from affnet.errors import MissingError, UsageError
from affnet.placement import CPU
from affnet.processes import module_command, module_environment
from affnet.runtimes import RUNTIMES, check_accelerated, check_measurable, get_runtime


@dataclass(frozen=True, kw_only=True)
class HostSettings(Settings):
    """What may be set of this machine."""

    accelerator: str = CPU  # or gpu, npu, with a runtime that computes there


_DEFAULTS = HostSettings()


class HostDevice:
    """Measures in fresh processes on this machine."""

    kind: ClassVar = "host"
    capabilities: ClassVar = Capabilities(
        runtimes=tuple(RUNTIMES),
        accelerators=("cpu", "gpu", "npu"),
        home_runtimes=("onnxruntime", "litert"),
        remote=False,
    )
    settings_type: ClassVar[type[Settings]] = HostSettings

    def __init__(self, name: str = "host", settings: HostSettings = _DEFAULTS) -> None:
        accelerators.check_name(name, settings.accelerator, self.capabilities)
        self.name = name
        self.settings = settings
        self._processes = LocalProcesses()

    def address(self) -> str:
        """See `Device.address`."""
        return "this machine"

    def checks(self) -> Iterator[Check]:
        """See `Device.checks`: which runtimes are installed."""
        yield Check("reachable", True, f"{host_probes.cpu_model()}, {platform.system()}")
        yield from map(_check_runtime, self.capabilities.runtimes)

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`."""
        engine, accelerator = get_runtime(runtime), self.settings.accelerator
        check_measurable(engine)
        check_accelerated(engine, accelerator)
        engine.version()
        if accelerator != CPU:
            engine.check_accelerator(accelerator)  # type: ignore[attr-defined]

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """See `Device.plan`."""
        where = accelerators.described(self.settings.accelerator, threads)
        return [
            "Look at the load, the frequency governor and the temperature of this machine",
            *(f"Load {file} in a process of its own, for its peak memory" for file in files),
            *(
                f"Load {file} in a fresh process with {runtime} on {where}, and warm up"
                for file in files
            ),
        ]

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`: the runtime must be installed."""
        get_runtime(runtime).version()
        yield

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`."""
        return host_probes.fingerprint() | accelerators.fingerprint_of(self.settings.accelerator)

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`."""
        return host_probes.conditions()

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[RemoteProcess]:
        """See `Device.start`; more threads than the machine has would only wait for each other.

        Raises:
            UsageError: ``threads`` are more than that.
        """
        if threads > (offered := os.cpu_count() or 1):
            raise UsageError(f"This machine runs {offered} threads at once, not {threads}.")
        label = f"{artifact.path.name} on {runtime}"
        command = module_command("affnet.devices.worker.serve")
        with self._processes.start(command, module_environment()) as channel:
            job = describe_job(artifact, runtime, threads, accelerator=self.settings.accelerator)
            yield RemoteProcess(channel, job, label)

    def interrupt(self) -> None:
        """See `Device.interrupt`."""
        self._processes.interrupt()


def _check_runtime(name: str) -> Check:
    runtime = get_runtime(name)
    try:
        check_measurable(runtime)
        return Check(name, True, runtime.version(), needed=False)
    except MissingError as error:
        return Check.failed(name, error, needed=False)
