"""Files of other tools, which have no manifest: opened by their own account of themselves.

Nothing proves them: no network was compared with them.  Whatever shows one says so.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from affnet.artifact import (
    UNPROVEN,
    Artifact,
    Manifest,
    Provenance,
    TensorSpec,
    exists,
    manifest_path,
    usual_preprocessing,
)
from affnet.errors import UsageError
from affnet.files import content_sha256
from affnet.runtimes import Interface, runtime_of_file
from affnet.runtimes.trial import try_out

_COLOURS = 3
#: What can be fed, and the range of an image's values in it.
_RANGES = {
    "float16": (0.0, 1.0),
    "float32": (0.0, 1.0),
    "float64": (0.0, 1.0),
    "int8": (-128.0, 127.0),
    "uint8": (0.0, 255.0),
}


def open_file(path: Path, image_size: tuple[int, int] | None = None) -> Artifact:
    """Open an artifact by its manifest, or a file of another tool by what it says of itself.

    ``image_size`` fills the sides that the latter leaves open.

    Raises:
        UsageError: no runtime runs such files; it has several inputs, or one that cannot be made
            up; or it leaves the size of its input open, and none is given.
        AffnetError: as `Artifact.open` and `affnet.runtimes.trial.try_out`.
    """
    if not exists(path) or manifest_path(path).exists():
        return Artifact.open(path)
    shape = (1, _COLOURS, *image_size) if image_size else None
    interface = try_out(path, runtime_of_file(path), shape)
    (taken, *others) = interface.inputs or (None,)
    if taken is None or others:
        raise UsageError(
            f"{path} has {len(interface.inputs)} inputs, and only files of one can be run here."
        )
    if taken.dtype not in _RANGES:
        raise UsageError(
            f"{path} takes {taken.dtype}, and inputs can be made up only of {', '.join(_RANGES)}."
        )
    if any(isinstance(axis, str) for axis in taken.shape[1:]):
        raise UsageError(
            f"{path} leaves the size of its input open: {' x '.join(map(str, taken.shape))}",
            "give that of its images by affnet bench --image-size HxW.",
        )
    fixed = dataclasses.replace(taken, shape=taken.static_shape())
    return described(path, dataclasses.replace(interface, inputs=(as_image(fixed) or fixed,)))


def describe_file(path: Path) -> Artifact:
    """Do the same only to show what the file holds, whatever it takes."""
    if not exists(path) or manifest_path(path).exists():
        return Artifact.open(path)
    return described(path, try_out(path, runtime_of_file(path), None))


def as_image(spec: TensorSpec) -> TensorSpec | None:
    """Return the spec of an input as that of images, None where it takes no images of 3 colors."""
    if spec.is_image:
        return spec
    if len(spec.shape) != 4 or _COLOURS not in (spec.shape[1], spec.shape[3]):
        return None
    layout = "NCHW" if spec.shape[1] == _COLOURS else "NHWC"
    return dataclasses.replace(spec, layout=layout, range=_RANGES.get(spec.dtype, (0.0, 1.0)))


def described(path: Path, interface: Interface) -> Artifact:
    """Return a file with a manifest of what it takes and gives, and of nothing else."""
    outputs, taken = interface.outputs, interface.inputs
    scores = len(outputs) == 1 and len(outputs[0].shape) == 2 and taken and taken[0].is_image
    task = "classification" if scores else "other"
    manifest = Manifest(
        model=path.stem,
        format=runtime_of_file(path).format,
        precision=interface.precision,
        sha256=content_sha256(path),
        inputs=taken,
        outputs=tuple(dataclasses.replace(o, class_axis=1) if scores else o for o in outputs),
        labels=None,
        fft_plan={},
        route="",
        fallbacks=(),
        details={},
        provenance=Provenance(UNPROVEN, path.name, "unknown", None, {}),
        parameters=None,
        macs=None,
        published=None,
        tools={},
        parity=None,
        task=task,
        preprocessing=usual_preprocessing(taken[0], task) if taken else None,
    )
    return Artifact(path, manifest)
