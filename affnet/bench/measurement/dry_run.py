"""What a measurement would do, step by step, without doing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from affnet import console
from affnet.artifact import Artifact, manifest_path
from affnet.bench.measurement.protocol import Protocol
from affnet.devices.base import Device
from affnet.runtimes import get_runtime, names_artifact


def steps(
    models: Sequence[str],
    device: Device,
    runtime: str,
    threads: int,
    protocol: Protocol,
    profile: bool = False,
) -> list[str]:
    """Return the steps of ``affnet bench`` on one device in one runtime; nothing is done.

    Raises:
        ArtifactError: a file that stands here cannot be measured.
        UsageError: the device cannot run ``runtime``.
    """
    device.check_runtime(runtime)
    prepared, files = [], []
    for model in models:
        if names_artifact(model) and Path(model).exists():
            if manifest_path(Path(model)).exists():
                Artifact.open(Path(model))
            files.append(Path(model).name)
        else:
            format_ = get_runtime(runtime).format
            prepared.append(f"Export {model} to {format_} and prove the file on this machine")
            files.append(model)
    planned = [*prepared, *device.plan(files, runtime, threads)]
    if device.capabilities.hosted:  # which has its own protocol, and profiles in any case
        return planned
    turns = f"{' '.join(files)} {' '.join(reversed(files))}" if len(files) > 1 else files[0]
    return [
        *planned,
        f"Measure in turns, {turns}, until each has {protocol.min_runs} runs "
        f"and {protocol.min_seconds:g} s (protocol {protocol.name})",
        *(
            f"Run {file} under the profiler, for the time of each operator"
            for file in files
            if profile
        ),
    ]


def show_steps(
    models: Sequence[str],
    devices: Sequence[Device],
    runtimes: Mapping[str, Sequence[str]],
    threads: int,
    protocol: Protocol,
    profile: bool,
    json: bool,
) -> None:
    """Print the steps on each device in its ``runtimes``, numbered, or as one object.

    Raises:
        AffnetError: as `steps`.
    """
    plans: dict[str, list[str]] = {}
    for device in devices:
        found = [
            step
            for runtime in runtimes[device.name]
            for step in steps(models, device, runtime, threads, protocol, profile)
        ]
        plans[device.name] = [*found, "Show one table"]
    if json:
        entries = [{"device": name, "steps": planned} for name, planned in plans.items()]
        console.print_json({"dry_run": entries})
        return
    for name, planned in plans.items():
        console.print_line(f"On {name}, nothing of which is done now:")
        for number, step in enumerate(planned, 1):
            console.print_line(f"{number:3}. {step}")
