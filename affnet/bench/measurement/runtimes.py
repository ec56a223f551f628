"""Which runtimes a measurement takes on each device, and measuring in several of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol as Interface

from affnet.bench.measurement.interleaved import Job, Progress
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.sweep import Keep, sweep
from affnet.bench.results.outcome import DeviceOutcome
from affnet.devices.base import Capabilities, Device
from affnet.errors import MissingError, UnreachableError, UsageError
from affnet.names import split_names
from affnet.runtimes import get_runtime, runtime_for

ALL = "all"


class Place(Interface):
    """What is asked of a device, here or of a cluster, before anything is measured on it."""

    @property
    def name(self) -> str:
        """See `Device`."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """See `Device`."""
        ...

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`."""
        ...


@dataclass(frozen=True)
class RuntimePlan:
    """The runtimes of each device, by its name, and why others are not measured."""

    runtimes: dict[str, list[str]]
    named: bool  # on the command line, so that none is left out
    left_out: list[str] = field(default_factory=list)  # a sentence each

    def every(self) -> list[str]:
        """Return the runtimes of all devices, in the order of measuring."""
        return list(dict.fromkeys(name for names in self.runtimes.values() for name in names))


def plan_runtimes(
    text: str | None,
    devices: Sequence[Place],
    format_: str | None = None,
    check: Callable[[str], None] = lambda _: None,
) -> RuntimePlan:
    """Decide which runtimes to measure.

    ``text`` is a list such as ``onnxruntime,litert``, ``all`` that a device has, or None: those
    that it is at home in.  Where files of ``format_`` are measured, it is the one that runs them.
    Of those that nobody named, those that are not installed are left out.  ``check`` raises
    `MissingError` where models cannot be exported for a runtime.

    Raises:
        UnknownNameError: a runtime that does not exist.
        UsageError: the only device does not run one, or one does not run files of ``format_``.
        MissingError: the only device has none of them, or not one that was named.
    """
    if text is not None and text != ALL:
        return _named(text, devices, format_)
    plan = RuntimePlan({}, named=False)
    for device in devices:
        wanted = _wanted(device, text, format_)
        missing = {name: error for name in wanted if (error := _lack(device, name, check))}
        usable = [name for name in wanted if name not in missing]
        if not usable and len(devices) == 1:
            raise missing[wanted[0]]
        plan.runtimes[device.name] = usable or wanted[:1]
        if usable:
            plan.left_out.extend(_left_out(*lack, device.name) for lack in missing.items())
    return plan


def runtime_on(device: Place, format_: str | None) -> str:
    """Return the runtime in which ``device`` measures files of ``format_``.

    Where that is None, it is the first that the device is at home in.

    Raises:
        UsageError: the device runs no such files.
    """
    capabilities = device.capabilities
    if format_ is None:
        return capabilities.home_runtimes[0]
    fitting = [name for name in capabilities.runtimes if get_runtime(name).format == format_]
    if not fitting:
        formats = ", ".join(get_runtime(name).format for name in capabilities.runtimes)
        raise UsageError(
            f"{device.name} does not run files of the format {format_}",
            f"export the model to one that it runs: {formats}.",
        )
    return fitting[0]


def _lack(device: Place, runtime: str, check: Callable[[str], None]) -> MissingError | None:
    """Return what is known to be missing for a runtime before the device is reached."""
    try:
        device.check_runtime(runtime)
        check(runtime)
    except MissingError as error:
        return error
    return None


def _named(text: str, devices: Sequence[Place], format_: str | None) -> RuntimePlan:
    names = split_names(text)
    if not names:
        raise UsageError("--runtime names no runtime; omit it for the device's own.")
    for name in names:  # unknown? say so first
        if format_ not in (None, get_runtime(name).format):
            raise UsageError(
                f"{name} does not run files of the format {format_}",
                f"choose the runtime {runtime_for(str(format_)).name}.",
            )
    if len(devices) == 1:  # missing? say so before anything is exported
        for name in names:
            devices[0].check_runtime(name)
    return RuntimePlan({device.name: names for device in devices}, named=True)


def _wanted(device: Place, text: str | None, format_: str | None) -> list[str]:
    if format_ is not None:  # a file says what runs it
        return [runtime_on(device, format_)]
    capabilities = device.capabilities
    return list(capabilities.runtimes if text == ALL else capabilities.home_runtimes)


def measure_runtimes(
    jobs: Mapping[str, Sequence[Job]],
    devices: Sequence[Device],
    plan: RuntimePlan,
    protocol: Protocol,
    *,
    threads: int,
    profile: bool = False,
    progress: Progress = lambda _: None,
    keep: Keep = lambda _: None,
) -> list[DeviceOutcome]:
    """Measure the jobs of each runtime on the devices that take it, one runtime after the other.

    Returns an outcome for each device and runtime, in the order of ``devices``.  A device that
    cannot be reached is not tried again.  A runtime that nobody named, and that a device turns out
    not to have, is left out where the device has another.
    """
    found: dict[str, list[tuple[str, DeviceOutcome]]] = {device.name: [] for device in devices}
    for runtime, models in jobs.items():
        places = [
            device
            for device in devices
            if runtime in plan.runtimes[device.name]
            and not any(isinstance(o.error, UnreachableError) for _, o in found[device.name])
        ]
        if not places:
            continue
        outcomes = sweep(
            models, places, protocol, threads=threads, profile=profile, progress=progress, keep=keep
        )
        for outcome in outcomes:
            found[outcome.device].append((runtime, outcome))
    return without_left_out(found, plan)


def without_left_out(
    found: Mapping[str, Sequence[tuple[str, DeviceOutcome]]], plan: RuntimePlan
) -> list[DeviceOutcome]:
    """Return the outcomes of each device, by runtime, without those that the plan leaves out."""
    kept = []
    for name, entries in found.items():
        measured = any(outcome.error is None for _, outcome in entries)
        for runtime, outcome in entries:
            if measured and not plan.named and isinstance(outcome.error, MissingError):
                plan.left_out.append(_left_out(runtime, outcome.error, name))
            else:
                kept.append(outcome)
    return kept


def _left_out(runtime: str, error: MissingError, device: str) -> str:
    return f"{runtime} is not measured on {device}: {error}"
