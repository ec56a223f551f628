"""A file proven on another processor: beside PyTorch, and beside this machine's own runtime."""

from __future__ import annotations

import dataclasses
import itertools
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Artifact, TensorSpec, manifest_path
from affnet.devices.base import Device, Progress
from affnet.devices.inference import open_session
from affnet.evaluation.held_out import held_out_images
from affnet.evidence import DeviceProof, HeldOutClasses
from affnet.export.verification.compare import check_has_held_out, verify_against
from affnet.export.verification.inputs import VerificationInput
from affnet.export.verification.reference import Reference
from affnet.export.verification.subject import Outputs, Subject
from affnet.files import write_whole
from affnet.model.source import Source
from affnet.placement import CPU
from affnet.runtimes import Session

#: So many held-out images are classified while a file is exported: one takes seconds, emulated.
DEFAULT_IMAGES = 25


def prove(
    artifact: Artifact,
    source: Source,
    inputs: Sequence[VerificationInput],
    device: Device,
    held_out: int | None = None,
    reference: Reference | None = None,
    progress: Progress = lambda _: None,
) -> DeviceProof:
    """Run ``artifact`` on ``device``, and compare it with PyTorch and with this machine.

    ``held_out`` is how many of the images held out from a bundled network's training are classified
    too, a sample that is always the same.

    Raises:
        UsageError: as `open_session` and `verify_against`; no bundled source for ``held_out``.
        MissingError, MeasurementError, ArtifactError: as `open_session`.
    """
    subject, reference = Subject.of(artifact), reference or Reference(source)
    if source.dynamic:  # there it is run as an app that was made for the example would
        inputs = [one for one in inputs if _is_of_example(one, source.inputs)]
    if held_out:
        check_has_held_out(source)
    with open_session(device, artifact, progress) as session:
        told = device.fingerprint()
        subject = subject.computed_in(session.arithmetic)
        steps = (
            f"Running {artifact.path.name} on {device.name}, on {len(inputs)} inputs: run {number}"
            for number in itertools.count(1)
        )
        recorded = _Recorded(session, lambda: progress(next(steps)))
        here = _Recorded(subject.load())
        parity = verify_against(subject, source, inputs, reference, [recorded])
        subject.run(here, [one.arrays for one in inputs])
        rel_error, equal = _difference(here.outputs, recorded.outputs)
        classes = None
        if held_out:
            progress(f"Classifying {held_out} held-out images on {device.name}")
            classes = _classes(subject, source, reference, (session, subject.load()), held_out)
    return DeviceProof(
        device=_named(device, told),
        cpu=told["cpu"],
        architecture=told["architecture"],
        features=tuple(told.get("features", ())),
        runtime=session.runtime,
        parity=parity,
        host=f"{subject.computed_as} on {platform.machine()}",
        host_rel_error=rel_error,
        host_equal=equal,
        held_out=classes,
    )


def _named(device: Device, told: Mapping[str, Any]) -> str:
    """Return a device's name, with the accelerator that computed: ``host:gpu``."""
    accelerator = told.get("accelerator", CPU)
    return device.name if accelerator in (CPU, "wasm") else f"{device.name}:{accelerator}"


def _is_of_example(one: VerificationInput, specs: Sequence[TensorSpec]) -> bool:
    return all(
        array.shape == spec.static_shape() for array, spec in zip(one.arrays, specs, strict=True)
    )


def keep(artifact: Artifact, proof: DeviceProof) -> Artifact:
    """Write a proof into the artifact's manifest, in place of an older one on the device."""
    changed = with_proof(artifact, proof)
    write_whole(manifest_path(artifact.path), changed.manifest.to_json())
    return changed


def with_proof(artifact: Artifact, proof: DeviceProof) -> Artifact:
    """Return the artifact with a proof in its manifest, in place of an older one on the device."""
    others = [kept for kept in artifact.manifest.proofs if kept.device != proof.device]
    short = dataclasses.replace(proof, parity=dataclasses.replace(proof.parity, details=()))
    return artifact.with_manifest(proofs=(*others, short))


class _Recorded:
    """A session that keeps what it gave; ``begin`` is called before each run."""

    def __init__(self, session: Session, begin: Callable[[], None] = lambda: None) -> None:
        self._session, self._begin = session, begin
        self.outputs: list[Outputs] = []

    def run(self, *inputs: NDArray[Any]) -> Outputs:
        """See `Session.run`."""
        self._begin()
        self.outputs.append(self._session.run(*inputs))
        return self.outputs[-1]


def _difference(here: Sequence[Outputs], there: Sequence[Outputs]) -> tuple[float, float]:
    """Return the largest difference over each output's largest value, and the share of equal bits.

    A value that is finite here and not there counts as infinitely far.
    """
    largest, equal, count = 0.0, 0, 0
    for ours, theirs in zip(here, there, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            same = (mine == other) | ((mine != mine) & (other != other))  # NaN in both
            equal, count = equal + int(same.sum()), count + mine.size
            finite = np.isfinite(mine)
            if not finite.any():
                continue
            wide, given = mine[finite].astype(np.float64), other[finite].astype(np.float64)
            error = float(np.abs(wide - given).max())
            peak = float(np.abs(wide).max())
            relative = 0.0 if error == 0 else error / peak if peak else np.inf
            largest = max(largest, np.inf if np.isnan(relative) else relative)
    return largest, equal / count if count else 1.0


def _classes(
    subject: Subject,
    source: Source,
    reference: Reference,
    sessions: tuple[Session, Session],
    count: int,
) -> HeldOutClasses:
    images, labels = held_out_images(source.provenance.location, subject.input.image_size())
    taken = np.sort(np.random.default_rng(0).permutation(len(images))[:count])
    images, labels = images[taken], labels[taken]
    (wanted,) = reference.outputs([(images,)])[0]
    there, here = (subject.run(session, [(images,)])[0][0] for session in sessions)
    expected, given, own = (logits.argmax(axis=1) for logits in (wanted, there, here))
    return HeldOutClasses(
        images=len(images),
        agreeing=int((given == expected).sum()),
        agreeing_host=int((given == own).sum()),
        top1=float((given == labels).mean()),
        top1_pytorch=float((expected == labels).mean()),
    )
