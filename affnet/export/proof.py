"""The proof of a file that was just made: here, on the devices asked for, and by its accuracy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from affnet.artifact import Artifact
from affnet.dynamic_axes import verified
from affnet.errors import VerificationError
from affnet.export.bisection.repair import made_right
from affnet.export.converters import get_converter
from affnet.export.converters.fallbacks import FULL
from affnet.export.options import SPEC, ExportOptions
from affnet.export.passes.heads import with_head
from affnet.export.quantization import CALIBRATED
from affnet.export.quantization.calibration import Calibration
from affnet.export.verification.accuracy_gate import judged
from affnet.export.verification.compare import has_held_out, verify_against
from affnet.export.verification.inputs import VerificationInput, calibration_inputs, sized_inputs
from affnet.export.verification.on_device import DEFAULT_IMAGES, prove, with_proof
from affnet.export.verification.pictures import on_pictures
from affnet.export.verification.reference import Reference
from affnet.export.verification.samples import FEW, Samples
from affnet.export.verification.subject import Subject
from affnet.model.source import Source
from affnet.parity import Parity

Progress = Callable[[str], None]


def proven(
    artifact: Artifact,
    source: Source,
    options: ExportOptions,
    reference: Reference,
    progress: Progress,
) -> Artifact:
    """Run the artifact and record its agreement; raise `VerificationError` if there is none."""
    progress(f"Running {artifact.path.name} and comparing it with PyTorch")
    subject, calibration = Subject.of(artifact), options.calibration
    if options.preprocess != SPEC:
        unheaded, agreement = on_pictures(reference.source, artifact.manifest)
        source, reference = with_head(unheaded, options.head), Reference(unheaded)
        details = artifact.manifest.details | {"pixels": dataclasses.asdict(agreement)}
        artifact = artifact.with_manifest(details=details)
    if calibration and subject.precision in CALIBRATED:
        inputs = _compared_on(calibration)
    else:
        half = subject.precision in get_converter(options.format).computes_in_half
        half = half and subject.input.dtype.startswith("float")
        inputs = reference.usual_inputs(subject.network_inputs(source), half=half)
        if isinstance(calibration, Samples):
            inputs = [*inputs, *_compared_on(calibration)]
    example = source.example
    if isinstance(calibration, Samples) and subject.precision in CALIBRATED:
        example = calibration.arrays[0]
    alone = example is not source.example
    others = sized_inputs(source.inputs, source.dynamic, example, alone=alone)
    inputs = [*inputs, *others, *options.verify_on]
    parity = verify_against(subject, source, inputs, reference)
    if not parity.passed:
        raise VerificationError(_disagreement(artifact, parity))
    artifact = artifact.with_manifest(parity=parity, dynamic=verified(source.dynamic))
    if reference.rejected:
        progress(reference.not_compared())
        details = artifact.manifest.details | {"rejected_inputs": reference.rejected}
        artifact = artifact.with_manifest(details=details)
    artifact = _proven_on_devices(artifact, source, inputs, options, reference, progress)
    if calibration is None:
        return artifact
    progress(f"Judging {artifact.path.name} by {calibration.source}")
    return judged(
        artifact,
        reference,
        calibration,
        options.kept_float,
        options.max_accuracy_drop,
        options.prove_on,
    )


def _compared_on(calibration: Calibration | Samples) -> list[VerificationInput]:
    """Return inputs like those that the ranges of a file of 8 bits come from."""
    if isinstance(calibration, Samples):
        return list(calibration.inputs[:FEW])
    return calibration_inputs(calibration.images)


def _proven_on_devices(
    artifact: Artifact,
    source: Source,
    inputs: Sequence[VerificationInput],
    options: ExportOptions,
    reference: Reference,
    progress: Progress,
) -> Artifact:
    """Run the artifact on the devices that it is to be proven on, and record what it gave there."""
    images = DEFAULT_IMAGES if has_held_out(source) else None
    for device in options.prove_on:
        if device.name in options.repair_on:
            artifact, proof = made_right(
                artifact, source, inputs, device, images, reference, progress
            )
        else:
            proof = prove(artifact, source, inputs, device, images, reference, progress)
        if not proof.parity.passed:
            raise VerificationError(f"On {device.name}: {_disagreement(artifact, proof.parity)}")
        artifact = with_proof(artifact, proof)
    return artifact


def _disagreement(artifact: Artifact, parity: Parity) -> str:
    """Say on which input a file is wrong, how much, and what to do about it."""
    worst, precision = parity.worst, artifact.manifest.precision
    assert worst is not None  # something was compared
    what = (
        worst.note
        if worst.max_rel_error == math.inf and worst.note
        else (
            f"its largest error is {worst.max_rel_error:.1e} of the largest output, "
            f"{parity.tolerance:.0e} is allowed; its PSNR is {worst.psnr_db:.0f} dB"
        )
    )
    half = precision in get_converter(artifact.manifest.format).computes_in_half
    remedy = f"; export it with affnet export --precision {FULL}" if half else ""
    if precision in CALIBRATED:
        remedy = "; calibrate it on more samples, or keep modules in float32 by --keep-float MODULE"
    return (
        f"The exported {artifact.path.name} disagrees with PyTorch in {precision} on "
        f"{worst.name}: {what}{remedy}."
    )
