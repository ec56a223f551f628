"""Phones that Qualcomm AI Hub hosts: it runs and times a file there, in a job of its own.

Nothing is measured in turns, and which phone of a name it was is not known, so that what comes of
it has a protocol of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from affnet import console
from affnet.artifact import Artifact
from affnet.devices.aihub import job_ids
from affnet.devices.aihub.client_python import find_python
from affnet.devices.aihub.hub import SERVICE, Hub
from affnet.devices.aihub.job import JobProcess, read_job
from affnet.devices.base import (
    Capabilities,
    Check,
    MeasuringProcess,
    Progress,
    Settings,
    check_capable,
)
from affnet.errors import AffnetError, ArtifactError, CatalogError, MissingError, UsageError
from affnet.files import companion, scratch_folder
from affnet.parity import reference_inputs
from affnet.runtimes import runtime_for

POLL_S = 5.0
#: The units that are asked to run operators; what else runs on the CPU fell back.
_ASKED = {"all": ("npu", "gpu"), "npu": ("npu",), "gpu": ("gpu",), "cpu": ("cpu",)}


@dataclass(frozen=True, kw_only=True)
class AihubSettings(Settings):
    """Which of its phones, and what it computes on."""

    device: str  # its name there, such as "Samsung Galaxy S24"
    os: str = ""  # a version, or a range such as "[13,15)"; the latest
    compute_unit: str = "all"
    runs: int = 100  # at most, of one job
    python: str | None = None  # that has the client, instead of that of the program qai-hub


class AihubDevice:
    """Has files measured by Qualcomm AI Hub."""

    kind: ClassVar = "aihub"
    capabilities: ClassVar = Capabilities(
        runtimes=("onnxruntime", "litert"),
        accelerators=("cpu", "gpu", "npu"),
        home_runtimes=("litert",),
        hosted=SERVICE,
    )
    settings_type: ClassVar[type[Settings]] = AihubSettings

    def __init__(self, name: str, settings: AihubSettings) -> None:
        if settings.compute_unit not in _ASKED:
            raise CatalogError(f"{name}: compute_unit must be one of {', '.join(_ASKED)}.")
        if not 1 <= settings.runs <= 10_000:
            raise CatalogError(f"{name}: runs must be a number from 1 to 10000.")
        if settings.max_temperature is not None or settings.min_battery is not None:
            raise CatalogError(f"{name}: {SERVICE} reports no temperature and no battery.")
        self.name = name
        self.settings = settings
        self._hub = Hub(settings.python, settings.device, settings.os)
        self._progress: Progress = lambda _: None
        self._found: dict[str, Any] = {}
        self._jobs: list[str] = []  # by their keys

    def address(self) -> str:
        """See `Device.address`: which phone of a name is taken is the service's choice."""
        return f"aihub {self.name}"

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`."""
        check_capable(self, runtime)
        find_python(self.settings.python)

    def checks(self) -> Iterator[Check]:
        """See `Device.checks`."""
        try:
            found = self._hub.find()
        except AffnetError as error:
            yield Check.failed("reachable", error)
            return
        shown = f"{found['name']}, OS {found['os']}, {_chipset(found)}"
        yield Check("reachable", True, f"{SERVICE} has {shown}")
        yield Check("client", True, f"qai-hub {found['client']}")

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """See `Device.plan`."""
        where = f"{self.settings.device}, compute unit {self.settings.compute_unit}"
        return [
            f"Ask {SERVICE} whether it has {self.settings.device}",
            *(f"Upload {file} to {SERVICE}, unless it has it" for file in files),
            *(f"Have a job measure {file} on {where}, and wait for it" for file in files),
        ]

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`: nothing is reserved."""
        self.check_runtime(runtime)
        self._progress = progress
        progress(f"Asking {SERVICE} for {self.settings.device}")
        self._found, self._jobs = self._hub.find(), []
        yield
        job_ids.forget(self._jobs)  # until here a run that is started again takes them up

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`."""
        return {
            "kind": self.kind,
            "hosted": SERVICE,
            "model": self._found["name"],
            "system": f"OS {self._found['os']}",
            "cpu": _chipset(self._found),
            "compute_unit": self.settings.compute_unit,
            "client": f"qai-hub {self._found['client']}",
        }

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`: it reports none."""
        return {}

    def start(
        self, artifact: Artifact, runtime: str, threads: int
    ) -> AbstractContextManager[MeasuringProcess]:
        """Refuse, see `Device.start`: the service runs a file as a whole job, and lends no process.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{self.name} is hosted by {SERVICE}, which runs whole jobs and nothing in turns",
            f"measure there by affnet bench --device {self.name} -o results.json, and judge that "
            "by affnet check results.json.",
        )

    def measured(self, artifact: Artifact, runtime: str) -> JobProcess:
        """See `affnet.devices.hosted.HostedDevice`."""
        label = artifact.path.name
        if not artifact.path.is_file() or companion(artifact.path) is not None:
            raise ArtifactError(
                f"{artifact.path} is no single file, which {SERVICE} needs",
                "export it to one file of less than 2 GB.",
            )
        model_key, job_key = f"model {artifact.manifest.sha256}", self._job_key(artifact)
        with scratch_folder() as folder:
            outputs = folder / "outputs.npz"
            request = {
                "model": str(artifact.path.absolute()),
                "name": label,
                "model_id": job_ids.recall(model_key),
                # a second measurement of the same run is one of its own
                "job_id": None if job_key in self._jobs else job_ids.recall(job_key),
                "inputs": str(_written_inputs(artifact, folder)),
                "input_names": _input_names(artifact),
                "outputs": str(outputs),
                "options": self._options,
                "poll_s": POLL_S,
            }
            events = self._hub.run(request, label, self._progress)
            done = self._follow(events, model_key, job_key)
            return read_job(done, artifact, outputs, _ASKED[self.settings.compute_unit])

    def interrupt(self) -> None:
        """See `Device.interrupt`."""
        self._hub.stop()

    @property
    def _options(self) -> str:
        unit, runs = self.settings.compute_unit, self.settings.runs
        return f"--compute_unit {unit} --max_profiler_iterations {runs}"

    def _job_key(self, artifact: Artifact) -> str:
        place = f"{self._found['name']}, {self._found['os']}"
        return f"job {artifact.manifest.sha256} {place} {self._options}"

    def _follow(
        self, events: Iterator[dict[str, Any]], model_key: str, job_key: str
    ) -> dict[str, Any]:
        """Remember the ids that the events of a job name; return what came of it."""
        url: str | None = None
        try:
            for event in events:
                if "uploaded" in event:
                    job_ids.remember(model_key, event["uploaded"])
                elif "submitted" in event:
                    url = event["submitted"]["url"]
                    job_ids.remember(job_key, event["submitted"]["id"])
                    self._jobs.append(job_key)
                elif "ended" in event:
                    url = None
                    job_ids.forget([job_key])
                elif "done" in event:
                    return dict(event["done"])
        except BaseException:  # Ctrl-C among them
            if url is not None:
                console.note(
                    f"Job {url} goes on, as the client of {SERVICE} cannot cancel any; the same "
                    "command again waits for it."
                )
            raise
        raise AssertionError("the last event is of what was done")


def _written_inputs(artifact: Artifact, folder: Path) -> Path:
    """Write what the file is measured with, each input under its number."""
    arrays = reference_inputs(artifact.manifest.described_inputs())
    path = folder / "inputs.npz"
    numbered: dict[str, Any] = {str(index): array for index, array in enumerate(arrays)}
    np.savez(path, **numbered)
    return path


def _input_names(artifact: Artifact) -> list[str]:
    """Return what the file itself calls its inputs: a manifest may have better names."""
    try:
        inputs = runtime_for(artifact.manifest.format).describe(artifact.path).inputs
    except MissingError:  # the runtime is not installed here
        inputs = artifact.manifest.inputs
    return [spec.name for spec in inputs]


def _chipset(found: dict[str, Any]) -> str:
    """Return the processor that the attributes of a device name."""
    prefix = "chipset:"
    chips = [text.removeprefix(prefix) for text in found["attributes"] if text.startswith(prefix)]
    return chips[0] if chips else "unknown processor"
