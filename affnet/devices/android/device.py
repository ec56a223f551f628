"""Android phones over adb, measured by each runtime's own tool.

The tool loads the model anew in each turn.  One that reports statistics of its runs but no single
one, as LiteRT's does, makes a result whose samples are the medians of its turns.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from affnet.artifact import Artifact
from affnet.devices import accelerators
from affnet.devices.android import properties
from affnet.devices.android.adb_client import Adb, find_adb
from affnet.devices.android.selection import DeviceFilter, select_device
from affnet.devices.android.session import Phone, open_phone
from affnet.devices.android.tools import (
    benchmark_model,
    benchncnn,
    executor_runner,
    mnn_benchmark,
    onnxruntime_perf_test,
)
from affnet.devices.android.tools.base import Settings as ToolSettings
from affnet.devices.android.tools.base import Tool
from affnet.devices.android.tools.binaries import VERSION, Runner, find_built, find_runner
from affnet.devices.android.tools.process import Invoker, ToolProcess, open_process
from affnet.devices.base import (
    Capabilities,
    Check,
    Progress,
    Settings,
    check_capable,
)
from affnet.devices.device_lock import locked_device
from affnet.errors import AffnetError, ArtifactError, CatalogError, MeasurementError, UsageError

#: What measures files of a runtime.
TOOLS: dict[str, Tool] = {
    "executorch": executor_runner,
    "litert": benchmark_model,
    "mnn": mnn_benchmark,
    "ncnn": benchncnn,
    "onnxruntime": onnxruntime_perf_test,
}


@dataclass(frozen=True, kw_only=True)
class AdbSettings(Settings):
    """What may be set of a phone; which one it is, if there are several, and how it is measured."""

    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    runner: str | None = None  # the folder with the runtime's tool
    runner_version: str = VERSION  # of benchmark_model, to fetch where no folder is named
    folder: str = "/data/local/tmp"
    accelerator: str = "cpu"  # or gpu
    xnnpack: bool = True  # on the CPU
    cores: str | None = None  # taskset's mask of the cores to run on, such as f0
    warmup_seconds: float = 0.5  # of each turn, which begins with a load
    pause_seconds: float = 0.0  # between turns, to cool down


class AdbDevice:
    """Measures by fresh processes of a tool on a phone."""

    kind: ClassVar = "adb"
    capabilities: ClassVar = Capabilities(
        runtimes=tuple(TOOLS),
        accelerators=("cpu", "gpu"),  # the GPU with LiteRT only
        home_runtimes=("litert",),
    )
    settings_type: ClassVar[type[Settings]] = AdbSettings

    def __init__(self, name: str, settings: AdbSettings) -> None:
        accelerators.check_name(name, settings.accelerator, self.capabilities)
        if settings.cores is not None and not re.fullmatch(r"[0-9a-fA-F]{1,16}", settings.cores):
            raise CatalogError(f"{name}: cores must be a mask in hexadecimal, such as f0.")
        if "," in settings.folder:  # separates files in flags of benchmark_model
            raise CatalogError(f"{name}: folder must not hold a comma.")
        self.name = name
        self.settings = settings
        self._wanted = DeviceFilter(settings.serial, settings.manufacturer, settings.model)
        self._adb: Adb | None = None
        self._session: tuple[Phone, Runner] | None = None
        self._progress: Progress = lambda _: None
        self._interrupted = threading.Event()

    def address(self) -> str:
        """See `Device.address`: which phone an entry without a serial means shows later."""
        return f"adb {self.settings.serial or self._wanted}"

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`: adb must be installed, and a tool that is not published."""
        check_capable(self, runtime)
        if self.settings.accelerator == "gpu" and runtime != "litert":
            raise UsageError(
                f"{self.name} is set to measure on the GPU, which {TOOLS[runtime].NAME} does not "
                "use",
                "choose the runtime litert, or set accelerator to cpu.",
            )
        find_adb()
        if runtime != "litert":
            find_built(TOOLS[runtime].NAME, self.settings.runner, TOOLS[runtime].BUILD)

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """See `Device.plan`."""
        settings = self.settings
        name = TOOLS[runtime].NAME
        source = settings.runner or f"the cache, or version {settings.runner_version} as published"
        pinned = f" on the cores {settings.cores}" if settings.cores else ""
        return [
            f"Find {self._wanted} among the phones that adb lists",
            f"Make a folder in {settings.folder} there, which is removed at the end",
            f"Push {name}, from {source}",
            "Ask the phone for its battery, heat, frequency governor and load",
            *(f"Push {file}, if there is space for it" for file in files),
            *(f"Run {file} by {name} for its peak memory" for file in files),
            *(
                f"Run {file} by {name} on the {settings.accelerator}{pinned} with "
                f"{threads} thread(s), anew in each turn"
                for file in files
            ),
        ]

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`."""
        self.check_runtime(runtime)
        settings = self.settings
        progress("Looking for the phone")
        adb = self._adb = select_device(find_adb(), self._wanted)
        try:
            with (
                # here it is known which phone it is: two names may turn out to mean the same
                locked_device(f"adb {adb.serial}", self.name, progress, self._check),
                open_phone(adb, settings.folder) as phone,
            ):
                runner = self._runner(TOOLS[runtime], adb, progress)
                phone.push(runner.path, progress, executable=True)
                self._session, self._progress = (phone, runner), progress
                yield
        finally:
            self._session = self._adb = None

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`."""
        phone, runner = self._open
        settings = self.settings
        return {
            "kind": self.kind,
            "serial": phone.adb.serial,
            **properties.fingerprint(phone.adb),
            "runner": runner.version,
            "accelerator": settings.accelerator,
            "xnnpack": settings.xnnpack,
            "cores": settings.cores,
        }

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`."""
        return properties.conditions(self._open[0].adb)

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[ToolProcess]:
        """See `Device.start`."""
        check_capable(self, runtime)
        if not artifact.path.is_file():
            raise ArtifactError(f"{artifact.path} is no single file, which a phone needs.")
        phone, runner = self._open
        settings = self.settings
        graph = phone.push(artifact.path, self._progress)
        pinned = ["taskset", settings.cores] if settings.cores else []
        gpu = settings.accelerator == "gpu"
        shapes = tuple(one.static_shape() for one in artifact.manifest.inputs)
        invoker = Invoker(
            phone,
            runner,
            TOOLS[runtime],
            [*pinned, phone.push(runner.path, self._progress)],
            ToolSettings(threads, gpu, settings.xnnpack, settings.warmup_seconds, shapes),
            label=f"{artifact.path.name} on {runtime} on {self.name}",
        )
        yield open_process(
            invoker, artifact, graph, pause=lambda: time.sleep(settings.pause_seconds)
        )

    def interrupt(self) -> None:
        """See `Device.interrupt`."""
        self._interrupted.set()
        if (adb := self._adb) is not None:
            adb.interrupt()

    def checks(self) -> Iterator[Check]:
        """See `Device.checks`."""
        step = "reachable"
        try:
            adb = select_device(find_adb(), self._wanted)
            found = properties.fingerprint(adb)
            yield Check("reachable", True, f"{found['model']}, serial {adb.serial}")
            yield Check(
                "phone", True, f"{found['cpu']}, {found['architecture']}, {found['system']}"
            )
            step = "folder"
            with open_phone(adb, self.settings.folder) as phone:
                free = phone.free_bytes() / 1e6
                yield Check("folder", True, f"{phone.folder} was made, {free:.0f} MB are free")
                step = "runner"
                for tool in self._tools_there():
                    runner = self._runner(tool, adb, lambda _: None)
                    phone.push(runner.path, lambda _: None, executable=True)
                    yield Check("runner", True, f"{tool.NAME} {runner.version} was pushed")
            yield from _state_checks(properties.conditions(adb))
        except AffnetError as error:
            yield Check.failed(step, error)

    def _runner(self, tool: Tool, adb: Adb, progress: Progress) -> Runner:
        settings = self.settings
        if tool is not benchmark_model:
            return find_built(tool.NAME, settings.runner, tool.BUILD)
        abi = str(properties.fingerprint(adb)["architecture"])
        return find_runner(abi, settings.runner, settings.runner_version, progress)

    def _tools_there(self) -> list[Tool]:
        """Return the tools in the folder that is named, or the one that is published."""
        folder = Path(self.settings.runner or "").expanduser()
        there = [tool for tool in TOOLS.values() if (folder / tool.NAME).is_file()]
        return (self.settings.runner and there) or [benchmark_model]

    def _check(self) -> None:
        """Raise `MeasurementError` where a thread that waits for the phone is to stop."""
        if self._interrupted.is_set():
            raise MeasurementError(f"Measuring on {self.name} was stopped.")

    @property
    def _open(self) -> tuple[Phone, Runner]:
        if self._session is None:
            raise RuntimeError("a phone is measured on within a session")
        return self._session


def _state_checks(now: dict[str, Any]) -> Iterator[Check]:
    """Say what of the phone's state lets results vary."""
    status = now["thermal_status"] or "not reported"
    cool = status in ("none", "not reported")
    remedy = None if cool else "let the phone cool down"
    yield Check("heat", cool, f"thermal status {status}", remedy, needed=False)
    level = now["battery_percent"]
    charged = level is None or level >= 20
    sentence = "no battery reported" if level is None else f"{level} %"
    yield Check("battery", charged, sentence, None if charged else "charge it", needed=False)
