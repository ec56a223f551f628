"""iPhones, iPads and this Mac, measured by coremltools' own benchmarking.

An attached device runs coremltools' model runner, which Xcode builds and signs; coremltools is
called in a process of its own (`affnet.devices.apple.service`), so that nothing of it, its event
loop or Xcode's tools is left when that process is ended.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from affnet.artifact import Artifact
from affnet.devices.apple import discovery
from affnet.devices.apple.discovery import Attached
from affnet.devices.apple.process import CoreMlProcess, Service, open_service
from affnet.devices.base import Capabilities, Check, Progress, Settings, check_capable
from affnet.devices.worker import host_probes
from affnet.devices.worker.channel import describe_job
from affnet.errors import AffnetError, ArtifactError, CatalogError, MeasurementError, MissingError
from affnet.files import scratch_folder
from affnet.runtimes.mlprogram import load_program

_UNITS = ("all", "cpu_only", "cpu_and_gpu", "cpu_and_ne")  # coremltools' names, in small letters
# coremltools puts these into commands of a shell as they are
_UNQUOTED = {
    "development_team": r"[0-9A-Za-z]+",
    "provisioning_profile": r"[0-9A-Za-z-]+",
    "bundle_identifier": r"[0-9A-Za-z.-]+",
}
_ATTACHED = threading.Lock()  # two names may turn out to mean the same device


@dataclasses.dataclass(frozen=True, kw_only=True)
class IosSettings(Settings):
    """What may be set: which device it is, what it computes on, and who signs the model runner."""

    type: str = "iphone"  # or ipad; mac is this machine
    device: str | None = None  # its name, identifier or UDID, if several are attached
    compute_units: str = "all"
    development_team: str | None = None
    provisioning_profile: str | None = None  # its UUID, instead of a team
    bundle_identifier: str | None = None  # as the profile has it


_DEFAULTS = IosSettings()


class IosDevice:
    """Measures by coremltools' ``MLModelBenchmarker``."""

    kind: ClassVar = "ios"
    capabilities: ClassVar = Capabilities(
        runtimes=("coreml",),
        accelerators=("cpu", "gpu", "ane"),
        home_runtimes=("coreml",),
    )
    settings_type: ClassVar[type[Settings]] = IosSettings

    def __init__(self, name: str, settings: IosSettings = _DEFAULTS) -> None:
        if settings.type not in discovery.LABELS:
            raise CatalogError(f"{name}: type must be iphone, ipad or mac.")
        if settings.compute_units not in _UNITS:
            raise CatalogError(f"{name}: compute_units must be one of {', '.join(_UNITS)}.")
        for setting, pattern in _UNQUOTED.items():
            value = getattr(settings, setting)
            if value is not None and not re.fullmatch(pattern, value):
                raise CatalogError(f"{name}: {value!r} is no {setting.replace('_', ' ')}.")
        self.name = name
        self.settings = settings
        self._progress: Progress = lambda _: None
        self._services: set[Service] = set()
        self._attached: tuple[Service, Attached] | None = None
        self._interrupted = threading.Event()

    def address(self) -> str:
        """See `Device.address`: attached devices take turns, as do this Mac's two names."""
        return "this machine" if self._local else "attached to this Mac"

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`: this is a Mac, with coremltools and Xcode."""
        check_capable(self, runtime)
        for _, check in self._needs():
            check()

    def checks(self) -> Iterator[Check]:
        """See `Device.checks`; all are tried for the first one, which sums them up."""
        steps = list(self._steps())
        failed = next((step for step in steps if not step.passed and step.needed), None)
        found = failed or steps[-1]
        yield Check("reachable", failed is None, found.detail, found.remedy)
        yield from steps

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """See `Device.plan`."""
        settings, place = self.settings, "on this Mac"
        steps = []
        if not self._local:
            place = settings.device or f"the attached {discovery.LABELS[settings.type]}"
            steps = [
                f"Find {place} among the devices that Xcode has paired",
                f"Build coremltools' model runner, sign it, install it on {place} and launch it",
            ]
            place = f"on {place}"
        return [
            *steps,
            *(f"Load {file} {place}, and ask for its operators' placement" for file in files),
            *(
                f"Load {file} {place} with the compute units {settings.compute_units}, and warm up"
                for file in files
            ),
        ]

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`; the model runner stays on an attached device.

        With the last program of a developer the trust in that developer would go.
        """
        self.check_runtime(runtime)
        self._progress = progress
        if self._local:
            yield
            return
        settings = self.settings
        team, profile = settings.development_team, settings.provisioning_profile
        with (
            self._alone(),
            scratch_folder() as folder,
            self._service() as service,
        ):
            progress("Looking for the device")
            attached = self._choose(service)
            discovery.check_signing(self.name, team, profile)
            progress(f"Building the model runner and launching it on {attached.name}")
            service.prepare(
                attached,
                str(folder),
                development_team=team,
                provisioning_profile=profile,
                bundle_identifier=settings.bundle_identifier,
            )
            self._attached = (service, attached)
            try:
                yield
            finally:
                self._attached = None

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`."""
        chosen = {"kind": self.kind, "compute_units": self.settings.compute_units}
        if self._local:
            return host_probes.fingerprint() | chosen
        _, attached = self._open
        return {
            **chosen,
            "model": f"{discovery.LABELS[attached.type]} {attached.name!r}",
            "udid": attached.udid,
            "system": attached.system(),
        }

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`: coremltools reports nothing of an attached device's."""
        return host_probes.conditions() if self._local else {}

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[CoreMlProcess]:
        """See `Device.start`: on an attached device, a model beside others in its model runner."""
        job = self._job(artifact, runtime, threads)
        label = f"{artifact.path.name} on {runtime} on {self.name}"
        if self._local:
            with self._service() as service:
                yield service.load(job, label)
            return
        process = self._open[0].load(job, label)
        yield process
        process.unload()  # after an error the session, and with it the model runner, ends

    def interrupt(self) -> None:
        """See `Device.interrupt`."""
        self._interrupted.set()
        for service in tuple(self._services):
            service.interrupt()

    @property
    def _local(self) -> bool:
        return self.settings.type == "mac"

    @property
    def _open(self) -> tuple[Service, Attached]:
        if self._attached is None:
            raise RuntimeError("an attached device is measured on within a session")
        return self._attached

    @contextmanager
    def _service(self) -> Iterator[Service]:
        tools = None if self._local else discovery.find_devicectl().parent
        with open_service(self.name, tools) as service:
            self._services.add(service)
            try:
                yield service
            finally:
                self._services.discard(service)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other session of this process uses an attached device."""
        while not _ATTACHED.acquire(timeout=0.2):
            if self._interrupted.is_set():
                raise MeasurementError(f"Measuring on {self.name} was stopped.")
        try:
            yield
        finally:
            _ATTACHED.release()

    def _choose(self, service: Service) -> Attached:
        found = discovery.select_device(service.devices(), self.settings.type, self.settings.device)
        discovery.check_usable(found)
        return found

    def _job(self, artifact: Artifact, runtime: str, threads: int) -> dict[str, Any]:
        """Return the request that loads a model."""
        program = load_program(artifact.path)
        images = [taken.name for taken in program.inputs if taken.kind == "image"]
        if images and not self._local:
            raise ArtifactError(
                f"{artifact.path} takes an image, and coremltools sends nothing but tensors to a "
                "device",
                "export it by affnet export without --image-input.",
            )
        engine, device = "Core ML of this Mac", "this Mac"
        if not self._local:
            attached = self._open[1]
            engine, device = f"Core ML of {attached.system()}", attached.name
        return describe_job(artifact, runtime, threads) | {
            "names": [taken.name for taken in program.inputs],
            "outputs": [dataclasses.asdict(output) for output in program.outputs],
            "labels": program.class_labels,
            "images": images,
            "compute_units": self.settings.compute_units,
            "engine": engine,
            "device": device,
            "remote": not self._local,
        }

    def _needs(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """Yield what is needed of this machine, and what raises `MissingError` without it."""
        yield "Mac", lambda: discovery.check_mac(self.settings.type)
        yield "coremltools", discovery.check_coremltools
        if not self._local:
            yield "Xcode", discovery.find_devicectl
            yield "model runner", discovery.check_model_runner

    def _steps(self) -> Iterator[Check]:
        """Yield what `checks` sums up; a failure that hides the rest is the last."""
        settings = self.settings
        for step, check in self._needs():
            try:
                check()
            except MissingError as error:
                yield Check.failed(step, error)
                return
            yield Check(step, True, "found")
        if self._local:
            yield Check("device", True, f"{host_probes.cpu_model()}, this Mac")
            return
        try:
            discovery.check_signing(
                self.name, settings.development_team, settings.provisioning_profile
            )
            yield Check("signature", True, settings.development_team or "by a profile")
        except MissingError as error:
            yield Check.failed("signature", error)
        try:
            with self._service() as service:
                found = self._choose(service)
            yield Check("device", True, f"{found}, {found.system()}, {found.state}")
        except AffnetError as error:
            yield Check.failed("device", error)
