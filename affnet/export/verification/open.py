"""Opening what ``verify`` is given: an artifact by its manifest, any other file by trying it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from affnet.artifact import Artifact, TensorSpec, exists, manifest_path
from affnet.errors import ArtifactError, UsageError
from affnet.export.converters import get_converter
from affnet.export.passes.heads import with_head
from affnet.export.quantization import CALIBRATED
from affnet.export.quantization.calibration import load_calibration
from affnet.export.verification.inputs import (
    REAL_IMAGES,
    VerificationInput,
    calibration_inputs,
    sized_inputs,
)
from affnet.export.verification.pictures import on_pictures
from affnet.export.verification.reference import Reference
from affnet.export.verification.subject import Subject
from affnet.model.source import Source, load_source, reload_source
from affnet.runtimes import get_runtime, runtime_for, runtime_of_file
from affnet.runtimes.foreign import as_image
from affnet.runtimes.trial import try_out


def open_subject(
    path: Path,
    against: str | None,
    config: Path | None,
    weights: Path | None = None,
    runtime: str | None = None,
) -> tuple[Subject, Artifact | None, Source]:
    """Return a file, the artifact it belongs to if it has a manifest, and what to compare it with.

    The file runs in ``runtime``, by default the one that its format belongs to.

    Raises:
        UsageError: a file without a manifest, and no ``against``; or a runtime that does not run
            files of that format.
        AffnetError: as `Artifact.open`, `load_source`, `reload_source`, `open_foreign` and
            `on_pictures`.
    """
    if against is not None and exists(path) and not manifest_path(path).exists():
        source = load_source(against, config=config, weights=weights)
        return in_runtime(open_foreign(path, source), runtime), None, source
    artifact = Artifact.open(path)
    if against is None:
        source = reload_source(artifact.manifest.provenance, path)
    else:
        source = load_source(against, config=config, weights=weights)
    head = artifact.manifest.details.get("head")
    if head is not None and source.task != artifact.manifest.task:
        raise UsageError(
            f"{path.name} is a network for {artifact.manifest.task} and {source.name} one for "
            f"{source.task}; compare it with the source it was exported from."
        )
    subject = in_runtime(Subject.of(artifact), runtime)
    contract = artifact.manifest.preprocessing
    if contract is not None and contract.picture is not None:
        source, _ = on_pictures(source, artifact.manifest, runtime)
    source = with_head(source, head)
    return subject, artifact, source


def in_runtime(subject: Subject, name: str | None) -> Subject:
    """Return ``subject`` to be run in the runtime ``name``, by default that of its format.

    Raises:
        UsageError: it does not run files of that format.
    """
    if name is None:
        return subject
    runtime = get_runtime(name)
    if runtime.format != subject.format:
        raise UsageError(
            f"{name} does not run files of the format {subject.format}",
            f"choose the runtime {runtime_for(subject.format).name}.",
        )
    return dataclasses.replace(subject, runtime=name)


def inputs_for(
    subject: Subject,
    reference: Reference,
    more: Sequence[VerificationInput] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> list[VerificationInput]:
    """Return what a file is compared on: by default, and ``more`` of the user's own.

    What the network itself raises on is left out, and told to ``progress``.
    One of 8 bits saw images like those of its network's training, or samples of the user's, when
    its ranges were chosen, and promises nothing about others.

    Raises:
        UsageError: its ranges are of samples that are not known here, and there are no ``more``.
    """
    runtime_for(subject.format)  # a format that nothing runs is refused as such
    taken, source = subject.input, reference.source
    if subject.precision in CALIBRATED and source.provenance.kind == "bundled":
        calibration = load_calibration(source, None, REAL_IMAGES, taken.image_size())
        return [*calibration_inputs(calibration.images), *more]
    if subject.calibrated_on and source.program is not None:
        if not more:
            raise UsageError(
                f"{subject.path.name} computes in 8 bits, in ranges that it has from "
                f"{subject.calibrated_on}",
                "say by --verify-on what like these to compare it on.",
            )
        return [*more]
    half = subject.precision in get_converter(subject.format).computes_in_half
    half = half and not (taken.is_image and taken.dtype == "uint8")
    usual = reference.usual_inputs(subject.network_inputs(source), half=half)
    if reference.rejected:
        progress(reference.not_compared())
    return [*usual, *sized_inputs(source.inputs, source.dynamic, source.example), *more]


def open_foreign(path: Path, source: Source) -> Subject:
    """Return a file that need not come from affnet as what can be compared with ``source``.

    Where ``source`` takes images, a float input of the file is taken to be an image in 0..1.

    Raises:
        UsageError: no runtime here executes such files.
        ArtifactError: the runtime rejects the file or crashes on it, or the file has several
            inputs, another number of outputs than ``source``, or some that are no numbers.
        MissingError: the runtime is not installed.
    """
    runtime = runtime_of_file(path)
    interface = try_out(path, runtime, source.input.static_shape())
    are_images = source.input.is_image
    (taken,) = _checked(path, "input", interface.inputs, 1, images=are_images)
    given = _checked(path, "output", interface.outputs, len(source.outputs), images=False)
    if are_images:
        image = as_image(taken)
        if image is None:
            raise UsageError(f"{path} takes {_text(taken)}, which is no image of three colours.")
        taken = image
    return Subject(path, runtime.format, (taken,), given, interface.precision)


def _checked(
    path: Path, kind: str, specs: tuple[TensorSpec, ...], count: int, *, images: bool
) -> tuple[TensorSpec, ...]:
    """Return ``specs`` if they can be compared; ``images`` may be bytes."""
    if len(specs) != count:
        raise ArtifactError(
            f"{path} has {len(specs)} {kind}s; files of {'one' if count == 1 else count} "
            f"{kind}{'' if count == 1 else 's'} can be compared with this PyTorch network."
        )
    for spec in specs:
        if not spec.dtype.startswith(("float", "uint8") if images else "float"):
            raise ArtifactError(
                f"{path}'s {kind} {spec.name!r} is of the type {spec.dtype}; only floats can be "
                "compared with PyTorch."
            )
        if 0 in spec.shape:
            raise ArtifactError(f"{path}'s {kind} {spec.name!r} is empty: {_text(spec)}.")
    return specs


def _text(spec: TensorSpec) -> str:
    return " x ".join(map(str, spec.shape)) or "a scalar"
