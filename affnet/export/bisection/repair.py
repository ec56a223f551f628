"""A file made right on a device: what it computes wrongly is written in another exact form.

One round finds the first wrong operator, writes it and all that are like it in another form, and
looks whether the file is right now.  What float16 loses is not repaired here: while a file of it is
made, `affnet.export.converters.half_parts` keeps in float32 what the device needs.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from affnet.artifact import Artifact
from affnet.devices.base import Device, Progress
from affnet.devices.inference import check_runs
from affnet.errors import VerificationError
from affnet.export.bisection.on_device import bisect
from affnet.export.bisection.onnx_forms import FORMS, Form, alike, rewritten
from affnet.export.bisection.opening import read_graph
from affnet.export.bisection.record import Bisection, WrongPart
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


@dataclass(frozen=True)
class Repair:
    """Operators that were written in another form."""

    device: str
    operators: tuple[str, ...]
    kind: str
    module: str | None
    form: str
    error: float  # of the first of them on that device, over its largest value


def made_right(
    artifact: Artifact,
    source: Source,
    inputs: Sequence[VerificationInput],
    device: Device,
    reference: Reference,
    progress: Progress = lambda _: None,
) -> Artifact:
    """Return ``artifact`` `repaired` where ``device`` is wrong on one of ``inputs``.

    The new file stands in a folder beside it, and has been compared with PyTorch on this machine.

    Raises:
        VerificationError: it cannot be repaired.
        AffnetError: as `prove` and `bisect`.
    """
    parity = prove(artifact, source, inputs, device, None, reference, progress).parity
    if parity.passed or parity.worst is None:
        return artifact
    given = next(one for one in inputs if one.name == parity.worst.name)
    folder = artifact.path.parent / "repaired"
    folder.mkdir(exist_ok=True)
    artifact = repaired(artifact, given, device, folder, progress)
    here = verify_against(Subject.of(artifact), source, inputs, reference)
    if not here.passed:
        raise VerificationError(
            f"{artifact.path.name}, in other forms for {device.name}, disagrees with PyTorch by "
            f"{here.max_rel_error:.1e} of the largest output, and {here.tolerance:.0e} is allowed."
        )
    return artifact.with_manifest(parity=here)


def repaired(
    artifact: Artifact,
    given: VerificationInput,
    device: Device,
    folder: Path,
    progress: Progress = lambda _: None,
) -> Artifact:
    """Return ``artifact`` with each operator in a form that ``device`` computes right.

    The new file stands in ``folder`` under the same name, and its manifest says what was done and
    what it costs: ``details["repairs"]`` and ``details["repair_latency_ns"]``.

    Raises:
        VerificationError: an operator is wrong that has no other form, or none that is right.
        AffnetError: as `bisect`.
    """
    changed, repairs = artifact, list[Repair]()
    for _ in range(_MOST_ROUNDS):
        found = _bisected(changed, given, device, progress)
        if found.ended is not None:
            raise VerificationError(f"Repairing {artifact.path.name} stopped: {found.ended}.")
        if not found.wrong:
            break
        changed, repair = _round(changed, found.wrong[0], device, folder)
        repairs.append(repair)
    else:
        raise VerificationError(
            f"{artifact.path.name} is still wrong on {device.name} after {_MOST_ROUNDS} repairs."
        )
    if not repairs:
        return artifact
    details = changed.manifest.details | {
        "repairs": [dataclasses.asdict(one) for one in repairs],
        "repair_latency_ns": _latencies(artifact, changed, device),
    }
    return changed.with_manifest(details=details)


def _bisected(
    artifact: Artifact, given: VerificationInput, device: Device, progress: Progress
) -> Bisection:
    graph = read_graph(artifact, given)
    return bisect(graph, artifact, device, given.name, most=1, progress=progress)


def _round(
    artifact: Artifact, wrong: WrongPart, device: Device, folder: Path
) -> tuple[Artifact, Repair]:
    """Write a wrong operator, and those like it, in the next form."""
    import onnx

    model, name, kind = named(onnx.load(artifact.path)), wrong.operators[-1], wrong.kinds[-1]
    for form in _forms(artifact, kind):
        changed, done = rewritten(model, alike(model, name), form)
        if not done:
            continue
        path = folder / artifact.path.name
        path.write_bytes(changed.SerializeToString())
        manifest = dataclasses.replace(artifact.manifest, sha256=content_sha256(path))
        repair = Repair(
            device.name, tuple(done), kind, wrong.module, form.__name__, wrong.error.max_rel_error
        )
        return Artifact(path, manifest), repair
    raise VerificationError(
        f"On {device.name} {name} ({kind}) of {artifact.path.name} is wrong by "
        f"{wrong.error.max_rel_error:.1e} of its largest value, and no other form of it is known",
        "choose another device, runtime or precision; affnet verify --bisect writes a file of it.",
    )


def _forms(artifact: Artifact, kind: str) -> tuple[Form, ...]:
    return FORMS.get(kind, ()) if artifact.manifest.format == "onnx" else ()


def _latencies(before: Artifact, after: Artifact, device: Device) -> dict[str, float] | None:
    """Return the median time of a run before and after, in turns; None where time says nothing."""
    if not device.capabilities.timed:
        return None
    runtime = check_runs(device, before.manifest.format)
    with (
        device.session(runtime),
        device.start(before, runtime, 1) as first,
        device.start(after, runtime, 1) as second,
    ):
        pairs = [(first.run(1)[0], second.run(1)[0]) for _ in range(_RUNS)]
    old, new = zip(*pairs, strict=True)
    return {"before": statistics.median(old), "after": statistics.median(new)}
