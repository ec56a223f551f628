"""The accuracy gate: what a quantized file loses, and whether that is allowed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from affnet.artifact import Artifact
from affnet.devices.base import Device
from affnet.devices.inference import open_session
from affnet.errors import AccuracyError
from affnet.export.quantization import CALIBRATED
from affnet.export.quantization.accuracy import Accuracy, compare_accuracy
from affnet.export.quantization.calibration import Calibration
from affnet.export.quantization.sensitivity import KeptFloat
from affnet.export.verification.reference import Reference
from affnet.export.verification.samples import Samples
from affnet.export.verification.subject import Subject, run_batches
from affnet.runtimes import Session


def judged(
    artifact: Artifact,
    reference: Reference,
    calibration: Calibration | Samples,
    kept_float: Sequence[KeptFloat],
    max_drop: float | None,
    devices: Sequence[Device] = (),
) -> Artifact:
    """Record in the manifest what calibrated a file, what stayed in float32, and what that cost.

    The cost is the largest of all places that the file runs in: here, and ``devices``.

    Raises:
        AccuracyError: it loses more than ``max_drop`` points of top-1 accuracy.
    """
    details: dict[str, Any] = {}
    if artifact.manifest.precision in CALIBRATED:
        details["calibration"] = calibration.description
        if isinstance(calibration, Calibration):
            details["float_parts"] = [dataclasses.asdict(kept) for kept in kept_float]
    if max_drop is not None and isinstance(calibration, Calibration):
        accuracy, place = _worst_accuracy(artifact, reference, calibration, devices)
        drop = accuracy.drop_points
        if drop > max_drop:
            raise AccuracyError(
                f"{artifact.path.name} loses {drop:.1f} points of top-1 accuracy"
                f"{f' on {place}' if place else ''}, "
                f"{max_drop:g} are allowed.",
                [(len(kept_float), drop)],
            )
        details |= {
            "judged_on": calibration.description,
            **({"judged_in": place} if place else {}),
            "top1": accuracy.top1,
            "right": accuracy.right,
            "right_pytorch": accuracy.right_pytorch,
            "classes_known": accuracy.classes is not None,
            "at_chance": accuracy.at_chance,
            "top1_pytorch": accuracy.top1_pytorch,
            "accuracy_drop": round(drop, 3),
            "max_accuracy_drop": max_drop,
        }
    return artifact.with_manifest(details={**artifact.manifest.details, **details})


def _worst_accuracy(
    artifact: Artifact, reference: Reference, calibration: Calibration, devices: Sequence[Device]
) -> tuple[Accuracy, str]:
    """Return a file's accuracy where it is worst, and the device, '' where that is here."""
    subject, images = Subject.of(artifact), calibration.images
    ((expected, *_),) = reference.outputs([(images,)])

    def accuracy(session: Session) -> Accuracy:
        actual = run_batches(session, images, subject.input)[0]
        return compare_accuracy(expected, actual, calibration)

    found = [(accuracy(session), "") for session in subject.sessions()]
    for device in devices:
        with open_session(device, artifact) as session:
            found.append((accuracy(session), device.name))
    return max(found, key=lambda pair: pair[0].drop_points)
