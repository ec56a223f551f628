"""A file made right on a device: what it computes wrongly is written in another exact form.

One round finds a wrong operator, runs one of each kind like it alone, and writes those that are
wrong in another form; then it looks whether the file is right now.  What float16 loses is not
repaired here: while a file of it is made, `affnet.export.converters.half_parts` keeps in float32
what the device needs.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from affnet.artifact import Artifact
from affnet.devices.base import Device, Progress
from affnet.devices.inference import check_runs
from affnet.errors import MeasurementError, VerificationError
from affnet.evidence import DeviceProof
from affnet.export.bisection.on_device import bisect, wrong_alone
from affnet.export.bisection.onnx_forms import FORMS, Form, fitting, rewritten
from affnet.export.bisection.opening import read_graph
from affnet.export.bisection.record import WrongPart
from affnet.export.converters.onnx.float16_trial import named
from affnet.export.verification.compare import verify_against
from affnet.export.verification.inputs import VerificationInput
from affnet.export.verification.on_device import prove
from affnet.export.verification.reference import Reference
from affnet.export.verification.subject import Subject
from affnet.files import content_sha256
from affnet.model.source import Source

_MOST_ROUNDS = 8
_RUNS = 5  # of each file, in turns with the other, for what the repair costs
_RUNS_S = 30.0  # after which none are begun: an emulated GPU takes that long for one


@dataclass(frozen=True)
class Repair:
    """Operators that were written in another form."""

    device: str
    operators: tuple[str, ...]
    kind: str
    module: str | None
    form: str
    error: float  # of the one that was found on that device, over its largest value


def made_right(
    artifact: Artifact,
    source: Source,
    inputs: Sequence[VerificationInput],
    device: Device,
    held_out: int | None,
    reference: Reference,
    progress: Progress = lambda _: None,
) -> tuple[Artifact, DeviceProof]:
    """Return ``artifact`` `repaired` where ``device`` is wrong, and what it gives there then.

    A new file stands in a folder beside it, and has been compared with PyTorch on this machine; its
    manifest says what was done and what it costs, ``details["repairs"]`` and
    ``details["repair_latency_ns"]``.  ``held_out`` is as `prove` has it.

    Raises:
        VerificationError: it cannot be repaired.
        AffnetError: as `prove` and `bisect`.
    """
    folder = artifact.path.parent / "repaired"
    folder.mkdir(exist_ok=True)
    changed, repairs, tried = artifact, list[Repair](), set[str]()
    given = inputs[0]
    while True:
        changed, done = repaired(changed, given, device, folder, progress)
        repairs, tried = [*repairs, *done], {*tried, given.name}
        proof = prove(changed, source, inputs, device, held_out, reference, progress)
        worst = proof.parity.worst
        if proof.parity.passed or worst is None or worst.name in tried:
            break
        given = next(one for one in inputs if one.name == worst.name)
    if not repairs or not proof.parity.passed:
        return changed, proof
    here = verify_against(Subject.of(changed), source, inputs, reference)
    if not here.passed:
        raise VerificationError(
            f"{artifact.path.name}, in other forms for {device.name}, disagrees with PyTorch by "
            f"{here.max_rel_error:.1e} of the largest output, and {here.tolerance:.0e} is allowed."
        )
    details = dict(changed.manifest.details)
    details["repairs"] = [*details.get("repairs", ()), *map(dataclasses.asdict, repairs)]
    latencies = details.get("repair_latency_ns", {})
    details["repair_latency_ns"] = latencies | _latencies(artifact, changed, device, progress)
    return changed.with_manifest(parity=here, details=details), proof


def repaired(
    artifact: Artifact,
    given: VerificationInput,
    device: Device,
    folder: Path,
    progress: Progress = lambda _: None,
) -> tuple[Artifact, list[Repair]]:
    """Return ``artifact`` with each operator in a form that ``device`` computes right on ``given``.

    The new file stands in ``folder`` under the same name.

    Raises:
        VerificationError: an operator is wrong that has no other form, or none that is right.
        MeasurementError: the device stopped running parts.
        AffnetError: as `bisect`.
    """
    repairs: list[Repair] = []
    for _ in range(_MOST_ROUNDS):
        graph = read_graph(artifact, given)
        found = bisect(graph, artifact, device, given.name, most=1, progress=progress)
        if found.ended is not None:
            raise MeasurementError(f"Repairing {artifact.path.name} stopped: {found.ended}.")
        if not found.wrong:
            return artifact, repairs
        (wrong,) = found.wrong
        artifact, repair = _round(artifact, wrong, given, device, folder, progress)
        repairs.append(repair)
    raise VerificationError(
        f"{artifact.path.name} is still wrong on {device.name} after {_MOST_ROUNDS} repairs."
    )


def _round(
    artifact: Artifact,
    wrong: WrongPart,
    given: VerificationInput,
    device: Device,
    folder: Path,
    progress: Progress,
) -> tuple[Artifact, Repair]:
    """Write a wrong operator, and those like it that are wrong too, in the next form."""
    import onnx

    model, name, kind = named(onnx.load(artifact.path)), wrong.operators[-1], wrong.kinds[-1]
    for form in _forms(artifact, kind):
        groups = fitting(model, kind, form)
        if not any(name in group for group in groups):
            continue
        others = [group for group in groups if name not in group]
        graph, firsts = read_graph(artifact, given), [group[0] for group in others]
        too = wrong_alone(graph, artifact, device, firsts, progress=progress)
        chosen = [one for group in groups if name in group or group[0] in too for one in group]
        path = folder / artifact.path.name
        path.write_bytes(rewritten(model, chosen, form).SerializeToString())
        manifest = dataclasses.replace(artifact.manifest, sha256=content_sha256(path))
        repair = Repair(
            device.name,
            tuple(chosen),
            kind,
            wrong.module,
            form.__name__,
            wrong.error.max_rel_error,
        )
        return Artifact(path, manifest), repair
    raise VerificationError(
        f"On {device.name} {name} ({kind}) of {artifact.path.name} is wrong by "
        f"{wrong.error.max_rel_error:.1e} of its largest value, and no other form of it is known",
        "choose another device, runtime or precision; affnet verify --bisect writes a file of it.",
    )


def _forms(artifact: Artifact, kind: str) -> tuple[Form, ...]:
    return FORMS.get(kind, ()) if artifact.manifest.format == "onnx" else ()


def _latencies(
    before: Artifact, after: Artifact, device: Device, progress: Progress
) -> dict[str, dict[str, float]]:
    """Return the median time of a run before and after, in turns, by the device's name.

    It is empty where time on such devices says nothing.
    """
    if not device.capabilities.timed:
        return {}
    progress(f"Timing {before.path.name} on {device.name} before and after its repair")
    runtime = check_runs(device, before.manifest.format)
    with (
        device.session(runtime),
        device.start(before, runtime, 1) as first,
        device.start(after, runtime, 1) as second,
    ):
        pairs: list[tuple[int, int]] = []
        deadline = time.monotonic() + _RUNS_S
        while not pairs or (len(pairs) < _RUNS and time.monotonic() < deadline):
            pairs.append((first.run(1)[0], second.run(1)[0]))
    old, new = zip(*pairs, strict=True)
    return {device.name: {"before": statistics.median(old), "after": statistics.median(new)}}
