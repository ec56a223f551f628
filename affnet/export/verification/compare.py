"""Running a file next to the PyTorch network it came from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import AffnetError, ArtifactError, UsageError, first_line
from affnet.evaluation.held_out import held_out_images
from affnet.evaluation.predictors import as_input
from affnet.export.heads import ClassMap, Detector
from affnet.export.precision import CALIBRATED
from affnet.export.precision.calibration import load_calibration
from affnet.export.verification.dense_parity import class_map_parity, detections_parity
from affnet.model.bundled import BUNDLED, load_held_out
from affnet.model.images import Images, mosaic, random_images
from affnet.model.source import Source
from affnet.parity import TOLERANCES, Parity, compare, depends_on_input
from affnet.runtimes import Session, runtime_for

_RANDOM_IMAGES = 4
_REAL_IMAGES = 32
_SEED = 20230714  # the paper's month; any number serves, but always the same one


@dataclass(frozen=True)
class Subject:
    """A file to compare with PyTorch: by its manifest, or by its own account."""

    path: Path
    format: str
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    precision: str

    @classmethod
    def of(cls, artifact: Artifact) -> Subject:
        """Return what an artifact's manifest says of it."""
        manifest = artifact.manifest
        (taken,) = manifest.inputs
        return cls(artifact.path, manifest.format, taken, manifest.outputs, manifest.precision)

    def load(self) -> Session:
        """Load it into the runtime of its format, on one thread."""
        return runtime_for(self.format).load(self.path, threads=1)


@dataclass(frozen=True)
class HeldOutAgreement:
    """A file and PyTorch on the images held out from a bundled checkpoint's training."""

    images: int
    agreeing: int  # images with the same top-1 class
    top1: float  # of the file, 0..1
    top1_pytorch: float
    max_rel_error: float  # largest difference over the largest PyTorch logit


def verify_against(subject: Subject, source: Source, images: Images | None = None) -> Parity:
    """Compare a file with PyTorch on ``images``, N x 3 x H x W in 0..1.

    Without any it is `default_inputs`.  The reference is the network as it was trained, with
    torch's own FFT, in float32.

    Raises:
        UsageError: the source takes or gives other shapes than the file, or always gives the same.
        MissingError: the file's runtime is not installed.
        ArtifactError: the runtime rejects the file.
    """
    _check_comparable(subject, source)
    taken = subject.input
    if images is None:
        images = default_inputs(subject, source)
    expected = _telling_outputs(source, images, taken)
    actual = _outputs(subject, images)
    if isinstance(source.model, Detector):
        scores, boxes = expected
        return detections_parity(scores, boxes, actual, subject.precision)
    if isinstance(source.model, ClassMap):
        return class_map_parity(expected[0].argmax(axis=1), actual[0], subject.precision)
    class_axes = [spec.class_axis for spec in source.outputs]
    return compare(expected, actual, TOLERANCES[subject.precision], class_axes)


def default_inputs(subject: Subject, source: Source) -> NDArray[np.float32]:
    """Return what a file is compared on unless told otherwise.

    One of 8 bits saw images like those of its network's training when its ranges were chosen, and
    promises nothing about others.
    """
    taken = subject.input
    if not taken.is_image:
        return random_tensors(taken)
    if subject.precision in CALIBRATED and source.provenance.kind == "bundled":
        return load_calibration(source, None, _REAL_IMAGES, taken.image_size()).images
    return verification_images(taken.image_size())


def verify_held_out(subject: Subject, source: Source) -> HeldOutAgreement:
    """Compare top-1 classes on every image held out from a bundled checkpoint's training.

    Raises:
        UsageError: the source is not the bundled checkpoint.
    """
    if source.provenance.kind != "bundled":
        raise UsageError(
            f"--held-out needs a bundled source ({', '.join(BUNDLED)}) to compare with, "
            f"not {source.provenance.location}."
        )
    images, labels = held_out_images(source.provenance.location, subject.input.image_size())
    (expected,) = reference_outputs(source, images, subject.input)
    (actual,) = _outputs(subject, images)
    expected_class, actual_class = expected.argmax(axis=1), actual.argmax(axis=1)
    return HeldOutAgreement(
        images=len(images),
        agreeing=int((expected_class == actual_class).sum()),
        top1=float((actual_class == labels).mean()),
        top1_pytorch=float((expected_class == labels).mean()),
        max_rel_error=float(np.abs(expected - actual).max() / np.abs(expected).max()),
    )


def verification_images(size: tuple[int, int]) -> Images:
    """Return the images that every verification uses: random ones, then a picture.

    Their values are multiples of 1/255, so that inputs of 8 bits hold them without loss.
    """
    picture = mosaic(load_held_out().images, size)
    images = np.concatenate((random_images(_RANDOM_IMAGES, size, _SEED), picture))
    return np.asarray(np.round(images * 255) / 255, np.float32)


def random_tensors(spec: TensorSpec) -> NDArray[np.float32]:
    """Return some inputs of a shape, normally distributed, joined on the first axis."""
    batch, *axes = spec.static_shape()
    generator = np.random.default_rng(_SEED)
    return generator.standard_normal((_RANDOM_IMAGES * batch, *axes), dtype=np.float32)


def reference_outputs(
    source: Source, images: NDArray[np.float32], spec: TensorSpec
) -> list[NDArray[np.float32]]:
    """Return what PyTorch gives for inputs of ``spec``, images as N x 3 x H x W in 0..1.

    One array for each output, the inputs joined on their first axis.
    """
    step = 1 if source.task in ("segmentation", "detection") else 50  # maps take memory
    if not spec.is_image:
        step = spec.static_shape()[0]
    with torch.inference_mode():
        batches = [
            _outputs_of(source.model(batch))
            for batch in torch.split(torch.from_numpy(images), step)
        ]
    return [torch.cat(parts).numpy() for parts in zip(*batches, strict=True)]


def _telling_outputs(
    source: Source, images: NDArray[np.float32], spec: TensorSpec
) -> list[NDArray[np.float32]]:
    """Return what a file is compared with, before its head; refuse a network that tells nothing."""
    if isinstance(source.model, ClassMap | Detector):
        source = dataclasses.replace(source, model=source.model.network)
    expected = reference_outputs(source, images, spec)
    if len(images) > 1 and not depends_on_input(expected):
        raise UsageError(
            f"{source.name} gives the same output for all {len(images)} inputs, so that comparing "
            "a file with it proves nothing; give it trained weights, or random ones whose signal "
            "does not vanish."
        )
    return expected


def _outputs_of(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def _check_comparable(subject: Subject, source: Source) -> None:
    """Raise `UsageError` unless the file takes and gives what the source does."""
    remedy = "compare it with the source it was exported from."
    taken, name = subject.input, subject.path.name
    if taken.is_image != source.input.is_image or (
        not taken.is_image and taken.shape != source.input.shape
    ):
        raise UsageError(
            f"{name} takes {_shape_text(taken)} and {source.name} "
            f"{_shape_text(source.input)}; {remedy}"
        )
    wanted = source.outputs_for(taken)
    if len(wanted) != len(subject.outputs):
        raise UsageError(
            f"{name} has {len(subject.outputs)} output(s) and {source.name} {len(wanted)}; {remedy}"
        )
    for given, spec in zip(subject.outputs, wanted, strict=True):
        if given.shape[1:] == spec.shape[1:]:
            continue
        axis = spec.class_axis
        if (
            axis is not None
            and len(given.shape) == len(spec.shape)
            and (given.shape[axis] != spec.shape[axis])
        ):
            raise UsageError(
                f"{name} has {given.shape[axis]} classes and {source.name} {spec.shape[axis]}; "
                f"{remedy}"
            )
        raise UsageError(
            f"{name} gives {_shape_text(given)} and {source.name} {_shape_text(spec)}; {remedy}"
        )


def _shape_text(spec: TensorSpec) -> str:
    return " x ".join(map(str, spec.shape))


def _outputs(subject: Subject, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return what a file gives; raise `ArtifactError` if it loads but does not run."""
    session = subject.load()
    try:
        return run_batches(session, images, subject.input)
    except AffnetError:
        raise
    except Exception as error:  # each runtime has its own kinds
        raise ArtifactError(
            f"{runtime_for(subject.format).name} cannot run {subject.path}: {first_line(error)}."
        ) from error


def run_batches(
    session: Session, images: NDArray[np.float32], spec: TensorSpec
) -> list[NDArray[np.float32]]:
    """Return the outputs of a file that takes ``spec``, run in batches of its size.

    A file with a dynamic batch is also run on batches of two, so that both are proven.
    """
    feed = as_input(images, spec)
    outputs, start = [], 0
    while start < len(images):
        step = spec.static_shape()[0] if not spec.dynamic_batch else 2 if start % 3 else 1
        batch = feed[start : start + step]
        if not spec.dynamic_batch and len(batch) < step:  # the last one, repeated to fill it
            batch = np.concatenate((batch, feed[: step - len(batch)]))
        outputs.append(session.run(batch))
        start += step
    return [np.concatenate(parts)[: len(feed)] for parts in zip(*outputs, strict=True)]
