"""Comparing a file with the PyTorch network that it came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from affnet.artifact import TensorSpec
from affnet.errors import UsageError
from affnet.evaluation.held_out import held_out_images
from affnet.export.passes.heads import (
    AnchorBoxes,
    ClassMap,
    Detector,
    Probabilities,
    VisionBoxes,
)
from affnet.export.verification.dense_parity import (
    class_map_parity,
    detections_parity,
    rows_parity,
)
from affnet.export.verification.inputs import VerificationInput
from affnet.export.verification.reference import (
    Reference,
    outputs_of,
    reference_outputs,
    uncertainties,
    widened,
)
from affnet.export.verification.subject import Outputs, Subject
from affnet.model.bundled import BUNDLED
from affnet.model.source import Source
from affnet.parity import (
    TOLERANCES,
    InputParity,
    Parity,
    badness,
    compare_input,
    depends_on_input,
    summarise,
    top1_agreement,
)
from affnet.runtimes import Session
from affnet.runtimes.coreml import StagesSession


@dataclass(frozen=True)
class HeldOutAgreement:
    """A file and PyTorch on the images held out from a bundled checkpoint's training."""

    images: int
    agreeing: int  # images with the same top-1 class
    top1: float  # of the file, 0..1
    top1_pytorch: float
    max_rel_error: float  # largest difference over the largest PyTorch logit


def verify_against(
    subject: Subject,
    source: Source,
    inputs: Sequence[VerificationInput],
    reference: Reference | None = None,
    sessions: Sequence[Session] = (),
) -> Parity:
    """Compare a file with PyTorch on ``inputs``.

    The reference is the network as it was trained, with torch's own FFT, in float32; several files
    may share one.  ``sessions`` run the file, by default those of this machine.  Where it differs
    by more than its tolerance, what float32 itself leaves open is not held against it.

    Raises:
        UsageError: the source takes or gives other shapes than the file, always gives the same, or
            gives no finite number on any input.
        MissingError: the file's runtime is not installed.
        ArtifactError: the runtime rejects the file.
    """
    _check_comparable(subject, source)
    reference = reference or Reference(source)
    arrays = [one.arrays for one in inputs]
    expected, network = reference.outputs(arrays), reference.network
    _check_telling(source, expected)
    if isinstance(source.model, AnchorBoxes | Probabilities):
        follow, network = source.model.follow, source.model
        expected = [_followed(follow, outputs) for outputs in expected]
    if isinstance(source.model, VisionBoxes):
        return _stages_parity(subject, source, inputs, expected)
    runs = [subject.run(session, arrays) for session in sessions or subject.sessions()]
    if isinstance(source.model, ClassMap | Detector):
        parities = [
            _dense_parity(source.model, inputs, expected, actual, subject.precision)
            for actual in runs
        ]
        return max(parities, key=lambda parity: parity.max_rel_error)
    return _values_parity(network, subject, source, inputs, expected, runs)


def _values_parity(
    network: nn.Module,
    subject: Subject,
    source: Source,
    inputs: Sequence[VerificationInput],
    expected: Sequence[Outputs],
    runs: Sequence[Sequence[Outputs]],
) -> Parity:
    """Compare value by value what ``network`` and a file in its runtimes give."""
    compared = [_compared(network, inputs, expected, run, subject.precision) for run in runs]
    details = [max(found, key=badness) for found in zip(*compared, strict=True)]
    if not any(one.compared for one in details) and all(one.passed for one in details):
        raise UsageError(
            f"{source.name} gives no finite number for any of {len(inputs)} inputs "
            f"({', '.join(one.name for one in inputs)}), so that nothing can be compared; "
            "give inputs that it is made for (--verify-on of affnet export and verify)."
        )
    class_axes = [spec.class_axis for spec in source.outputs]
    agreements = [
        top1_agreement(wanted, given, class_axes)
        for run in runs
        for wanted, given in zip(expected, run, strict=True)
    ]
    parity = summarise(details, TOLERANCES[subject.precision], float(np.mean(agreements)))
    if not subject.input.is_image:
        return parity
    pairs = zip(inputs, details, strict=True)  # several images may be one input
    return dataclasses.replace(
        parity, inputs=sum(len(taken.arrays[0]) for taken, one in pairs if one.compared)
    )


def _stages_parity(
    subject: Subject,
    source: Source,
    inputs: Sequence[VerificationInput],
    expected: Sequence[Outputs],
) -> Parity:
    """Compare what Core ML's pipeline gives before the suppression, and what that keeps."""
    stages = dataclasses.replace(subject, outputs=subject.outputs * 2)
    runs = stages.run(StagesSession(subject.path), [one.arrays for one in inputs])
    count = len(subject.outputs)
    before, kept = [run[:count] for run in runs], [run[count:] for run in runs]
    values = _values_parity(source.model, subject, source, inputs, expected, [before])
    confidence, coordinates = _joined(expected)
    rows = rows_parity(confidence, coordinates, _joined(kept), subject.precision)
    if values.passed and not rows.passed:
        return rows
    return dataclasses.replace(values, top1_agreement=rows.top1_agreement)


def verify_held_out(subject: Subject, source: Source) -> HeldOutAgreement:
    """Compare top-1 classes on every image held out from a bundled checkpoint's training.

    Raises:
        UsageError: the source is not the bundled checkpoint.
    """
    check_has_held_out(source)
    images, labels = held_out_images(source.provenance.location, subject.input.image_size())
    (expected,) = reference_outputs(source, (images,))
    ((actual,),) = subject.run(subject.load(), [(images,)])
    expected_class, actual_class = expected.argmax(axis=1), actual.argmax(axis=1)
    return HeldOutAgreement(
        images=len(images),
        agreeing=int((expected_class == actual_class).sum()),
        top1=float((actual_class == labels).mean()),
        top1_pytorch=float((expected_class == labels).mean()),
        max_rel_error=float(np.abs(expected - actual).max() / np.abs(expected).max()),
    )


def _followed(follow: Callable[..., Any], outputs: Outputs) -> Outputs:
    """Return what a head makes of a network's outputs."""
    with torch.inference_mode():
        return [one.numpy() for one in outputs_of(follow(*map(torch.from_numpy, outputs)))]


def has_held_out(source: Source) -> bool:
    """Tell whether a source has images that its training did not see."""
    return source.provenance.kind == "bundled"


def check_has_held_out(source: Source) -> None:
    """Raise `UsageError` where a source has no images that its training did not see."""
    if not has_held_out(source):
        raise UsageError(
            f"--held-out needs a bundled source ({', '.join(BUNDLED)}) to compare with, "
            f"not {source.provenance.location}."
        )


def _compared(
    network: nn.Module,
    inputs: Sequence[VerificationInput],
    expected: Sequence[Outputs],
    actual: Sequence[Outputs],
    precision: str,
) -> list[InputParity]:
    """Compare input by input; where a file differs, ask PyTorch how sure it is, the worst first."""
    peaks = [_usual_peak(outputs) for outputs in zip(*expected, strict=True)]
    details = [
        compare_input(one.name, wanted, given, TOLERANCES[precision], usual_peaks=peaks)
        for one, wanted, given in zip(inputs, expected, actual, strict=True)
    ]
    worst_first = sorted(range(len(details)), key=lambda i: badness(details[i]), reverse=True)
    network = network if all(one.passed for one in details) else widened(network)
    for i in worst_first:
        if details[i].passed:
            break
        name, wanted, given = inputs[i].name, expected[i], actual[i]
        for doubt in uncertainties(network, inputs[i].arrays, wanted):
            details[i] = compare_input(name, wanted, given, TOLERANCES[precision], doubt, peaks)
            if details[i].passed or details[i].compared == 1:
                break  # explained, or nothing is open here
        if not details[i].passed:
            break  # one wrong input is enough: asking about the others takes long
    return details


def _usual_peak(outputs: Sequence[NDArray[Any]]) -> float:
    """Return the median over inputs of an output's largest finite value."""
    finite = (np.abs(output[np.isfinite(output)]) for output in outputs)
    return float(np.median([values.max() for values in finite if values.size] or [0.0]))


def _dense_parity(
    head: ClassMap | Detector,
    inputs: Sequence[VerificationInput],
    expected: Sequence[Outputs],
    actual: Sequence[Outputs],
    precision: str,
) -> Parity:
    """Compare classes or boxes over all inputs: one picture may consist of near ties."""

    def parity(wanted: Outputs, given: Outputs) -> Parity:
        if isinstance(head, Detector):
            scores, boxes = wanted
            return detections_parity(scores, boxes, given, precision)
        return class_map_parity(wanted[0].argmax(axis=1), given[0], precision)

    overall = parity(_joined(expected), _joined(actual))
    details = []
    for one, wanted, given in zip(inputs, expected, actual, strict=True):
        its = parity(wanted, given)
        details.append(
            InputParity(one.name, its.max_abs_error, its.max_rel_error, its.psnr_db, overall.passed)
        )
    return dataclasses.replace(overall, details=tuple(details))


def _joined(outputs: Sequence[Outputs]) -> Outputs:
    """Return each output for all inputs at once."""
    return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


def _check_telling(source: Source, expected: Sequence[Outputs]) -> None:
    """Refuse a network that gives the same whatever it is given."""
    alike = [one for one in expected if [*map(np.shape, one)] == [*map(np.shape, expected[0])]]
    outputs = [np.stack(parts) for parts in zip(*alike, strict=True)]
    if len(alike) > 1 and not depends_on_input(outputs):
        raise UsageError(
            f"{source.name} gives the same output for all {len(alike)} inputs, so that "
            "comparing a file with it proves nothing; give inputs of your own that differ, or "
            "trained weights, or random ones whose signal does not vanish."
        )


def _check_comparable(subject: Subject, source: Source) -> None:
    """Raise `UsageError` unless the file takes and gives what the source does."""
    remedy = "compare it with the source it was exported from."
    taken, name = subject.input, subject.path.name
    if taken.is_image != source.input.is_image or (
        not taken.is_image and _shapes(subject.inputs) != _shapes(source.inputs)
    ):
        raise UsageError(
            f"{name} takes {_texts(subject.inputs)} and {source.name} "
            f"{_texts(source.inputs)}; {remedy}"
        )
    wanted = source.outputs_for(taken)
    if isinstance(source.model, VisionBoxes):
        wanted = source.model.kept(wanted)
    if len(wanted) != len(subject.outputs):
        raise UsageError(
            f"{name} has {len(subject.outputs)} output(s) and {source.name} {len(wanted)}; {remedy}"
        )
    batch = int(taken.is_image)  # axes before those that have to be equal
    for given, spec in zip(subject.outputs, wanted, strict=True):
        shape = given.network_shape()
        if shape[batch:] == spec.shape[batch:] or _are_scalars(given, spec):
            continue
        axis = spec.class_axis
        if axis is not None and len(shape) == len(spec.shape) and (shape[axis] != spec.shape[axis]):
            raise UsageError(
                f"{name} has {shape[axis]} classes and {source.name} {spec.shape[axis]}; {remedy}"
            )
        raise UsageError(
            f"{name} gives {_shape_text(given)} and {source.name} {_shape_text(spec)}; {remedy}"
        )


def _shapes(specs: Sequence[TensorSpec]) -> list[tuple[int | str, ...]]:
    """Return the shapes, those of single numbers as scalars': some formats hold none."""
    return [() if set(spec.shape) <= {1} else spec.shape for spec in specs]


def _texts(specs: Sequence[TensorSpec]) -> str:
    return " and ".join(map(_shape_text, specs))


def _are_scalars(given: TensorSpec, spec: TensorSpec) -> bool:
    """Return whether both are one number; some formats hold no scalars."""
    return spec.shape == () and set(given.shape) <= {1}


def _shape_text(spec: TensorSpec) -> str:
    return " x ".join(map(str, spec.shape)) or "a scalar"
