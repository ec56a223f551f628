"""How long each operator takes, and which part of the network it belongs to.

A profile is taken in a pass of its own, after all timing: watching costs time, so its sum is no
latency.  Which module of the PyTorch network a node of an ONNX file belongs to is recorded in the
weights it reads, which keep their names; nodes without weights belong to what feeds them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from affnet.artifact import Artifact
from affnet.bench.results.result import Result
from affnet.devices.base import Device, MeasuringProcess, OperatorTime, ProfilingProcess
from affnet.errors import MissingError, first_line
from affnet.runtimes.onnx_modules import modules_by_weights

RUNS = 20
# What ONNX Runtime's optimiser adds to a name: of a fusion, or of another layout.
_ADDED = re.compile(r"(/\w+/.*|_nchwc|_token_\d+)$")


def with_profile(result: Result, artifact: Artifact, device: Device) -> Result:
    """Return the result with its operators' times, or with why they are not known."""
    with device.start(artifact, result.runtime, result.threads) as process:
        return profiled(result, artifact, device, process)


def profiled(
    result: Result, artifact: Artifact, device: Device, process: MeasuringProcess
) -> Result:
    """Return the result with the operators' times of a process, or with why they are not known."""
    found = _profile_of(process, artifact, device)
    if isinstance(found, str):
        return dataclasses.replace(result, limits=(*result.limits, found))
    return dataclasses.replace(result, operators=found)


def take_profile(
    artifact: Artifact, runtime: str, device: Device, threads: int
) -> tuple[OperatorTime, ...] | str:
    """Return the operators' times, or a sentence without full stop that says why there are none."""
    with device.start(artifact, runtime, threads) as process:
        return _profile_of(process, artifact, device)


def _profile_of(
    process: MeasuringProcess, artifact: Artifact, device: Device
) -> tuple[OperatorTime, ...] | str:
    if not isinstance(process, ProfilingProcess):
        return f"{device.name} does not report the times of operators"
    try:
        times = process.profile(RUNS)
    except MissingError as error:
        return f"the times of operators are not known: {first_line(error)}"
    if artifact.manifest.format != "onnx":
        return tuple(times)
    return tuple(assign_modules(times, modules_of(artifact.path)))


def assign_modules(times: Iterable[OperatorTime], modules: Mapping[str, str]) -> list[OperatorTime]:
    """Fill in the modules.  What a runtime put between two nodes counts to the one before it."""
    found, last = [], None
    for time in times:
        last = modules.get(time.name) or modules.get(original_name(time.name)) or last
        found.append(dataclasses.replace(time, module=last))
    return found


def original_name(name: str) -> str:
    """Return the name in the file of the node that ONNX Runtime made another of."""
    return _ADDED.sub("", name)


def modules_of(path: Path) -> dict[str, str]:
    """Return the module of each node of an ONNX file, by its name; see `modules_by_weights`."""
    import onnx

    return modules_by_weights(onnx.load(path, load_external_data=False).graph)


def by_operator(times: Sequence[OperatorTime]) -> dict[str, int]:
    """Return the time of each type of operator, in ns, the largest first."""
    totals = _summed((time.operator, time.mean_ns) for time in times)
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


def informative_depth(times: Sequence[OperatorTime]) -> int:
    """Return how many names deep no module takes more than half of the time, 2 at least.

    AFFNet's stages stand two names deep, ``layer_4.1``; other networks have all of them inside one
    module, ``model.mobilevit.encoder.layer.3``.
    """
    depth, deepest = (
        2,
        max((time.module.count(".") + 1 for time in times if time.module), default=0),
    )
    while depth < deepest:
        totals = by_module(times, depth).values()
        if max(totals) <= sum(totals) / 2:
            break
        depth += 1
    return depth


def by_module(times: Sequence[OperatorTime], depth: int) -> dict[str, int]:
    """Return the time of each module, ``depth`` names deep, in ns, in the order they are run."""
    return _summed(
        (".".join(time.module.split(".")[:depth]), time.mean_ns) for time in times if time.module
    )


def parts_of(times: Sequence[OperatorTime], most: int = 20) -> list[tuple[str, list[OperatorTime]]]:
    """Return the parts of a network that say most: what takes long is divided into its modules.

    Whatever takes more than a tenth of the time is divided, the longest first, while there are at
    most so many parts.  They come in the order they are run; "" is what has no module.
    """
    whole = sum(time.mean_ns for time in times)
    parts: dict[tuple[str, ...], list[OperatorTime]] = {(): [t for t in times if t.module]}
    final: set[tuple[str, ...]] = set()
    while open_parts := [name for name in parts if name not in final]:
        name = max(open_parts, key=lambda name: _total(parts[name]))
        divided = _divided(parts[name], len(name) + 1)
        if (
            _total(parts[name]) <= whole / 10
            or len(parts) - 1 + len(divided) > most
            or divided.keys() == {name}
        ):
            final.add(name)
            continue
        del parts[name]
        parts.update(divided)
        final |= divided.keys() & {name}  # the module's own operators
    order = {id(time): number for number, time in enumerate(times)}
    named = [(".".join(name), found) for name, found in parts.items() if found]
    named += [("", rest)] if (rest := [time for time in times if not time.module]) else []
    return sorted(named, key=lambda part: order[id(part[1][0])])


def _divided(
    times: Iterable[OperatorTime], depth: int
) -> dict[tuple[str, ...], list[OperatorTime]]:
    found: dict[tuple[str, ...], list[OperatorTime]] = {}
    for time in times:
        found.setdefault(tuple((time.module or "").split(".")[:depth]), []).append(time)
    return found


def _total(times: Iterable[OperatorTime]) -> int:
    return sum(time.mean_ns for time in times)


def _summed(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for name, value in pairs:
        totals[name] = totals.get(name, 0) + value
    return totals
