"""Inputs of the user's own to verify on: a folder of pictures or arrays, or an ``.npz`` file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.errors import UsageError
from affnet.evaluation.datasets import SUFFIXES, LabelledImage
from affnet.evaluation.tensors import arrays_in
from affnet.export.verification.inputs import VerificationInput
from affnet.preprocessing import published

_ARRAYS = (".npy", ".npz")


def read_inputs(
    path: Path, specs: Sequence[TensorSpec], option: str = "--verify-on"
) -> list[VerificationInput]:
    """Read what a network that takes ``specs`` is to be verified on.

    An array is one input, or several along an axis before those of its spec.  A picture is cut as
    in evaluation, RGB in 0..1, for a network that takes 1 x 3 x H x W.  For a network of several
    inputs, each ``.npz`` file holds an array for each, by its name.

    Raises:
        UsageError: nothing there that fits, or an array of another shape or with values that are
            no finite numbers, or that the input's type does not hold.
        CorruptImageError: a picture that cannot be decoded.
    """
    if not path.exists():
        raise UsageError(f"{option} {path} does not exist", "name a folder or a file that does.")
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in (*_ARRAYS, *SUFFIXES) and file.is_file()
        )
    elif path.suffix.lower() in _ARRAYS and path.is_file():
        files = [path]
    else:
        files = []
    inputs = [one for file in files for one in _read(file, specs)]
    if not inputs:
        raise UsageError(
            f"{option} {path} holds nothing that the network takes; give a folder of pictures or "
            ".npy files, or an .npz file."
        )
    return inputs


def _read(file: Path, specs: Sequence[TensorSpec]) -> list[VerificationInput]:
    if len(specs) > 1:
        return _read_several(file, specs)
    (spec,) = specs
    if file.suffix.lower() in SUFFIXES:
        return [VerificationInput(file.name, (_picture(file, spec),))]
    return [
        VerificationInput(" ".join(filter(None, (file.name, name, number))), (array,))
        for name, stored in arrays_in(file).items()
        for number, array in _inputs_in(f"{file} {name}".rstrip(), stored, spec)
    ]


def _read_several(file: Path, specs: Sequence[TensorSpec]) -> list[VerificationInput]:
    """Read an ``.npz`` file that has an array, or a stack of equally many, for each input."""
    names = [spec.name for spec in specs]
    listed = ", ".join(names)
    if file.suffix.lower() != ".npz":
        raise UsageError(
            f"{file} holds one array, but the network takes {len(specs)} inputs",
            f"give .npz files with an array for each: {listed}.",
        )
    arrays = arrays_in(file)
    if differing := sorted({*names} ^ {*arrays}):
        problem = "lacks" if differing[0] in names else "has, but the network does not take,"
        raise UsageError(
            f"{file} {problem} {differing[0]!r}", f"give it an array for each input: {listed}."
        )
    found = [_inputs_in(f"{file} {spec.name}", arrays[spec.name], spec) for spec in specs]
    if len({len(inputs) for inputs in found}) > 1:
        counts = ", ".join(f"{len(i)} of {name}" for name, i in zip(names, found, strict=True))
        raise UsageError(f"{file} holds {counts}", "give equally many of each input.")
    return [
        VerificationInput(f"{file.name} {inputs[0][0]}".rstrip(), tuple(a for _, a in inputs))
        for inputs in zip(*found, strict=True)
    ]


def _inputs_in(
    name: str, stored: NDArray[np.generic], spec: TensorSpec
) -> list[tuple[str, NDArray[Any]]]:
    """Return the inputs in an array, numbered where they are several."""
    shape = spec.static_shape()
    if stored.dtype.kind == "c":  # as networks of complex inputs take them
        stored = np.stack((stored.real, stored.imag), axis=-1)
    if stored.dtype.kind not in "fiub":
        raise UsageError(f"{name} is of the type {stored.dtype}; give real numbers.")
    with np.errstate(all="ignore"):
        values = stored.astype(spec.dtype)
    if not np.isfinite(values).all():
        raise UsageError(f"{name} has values that are no finite numbers of {spec.dtype}.")
    if values.dtype.kind != "f" and not np.array_equal(values, stored):
        raise UsageError(f"{name} has values that {spec.dtype}, which the network takes, lacks.")
    if spec.fits(values.shape):
        return [("", values)]
    inner = replace(spec, shape=spec.shape[1:] if spec.is_image else spec.shape)
    if not inner.fits(values.shape[1:]) or not len(values):
        wanted, each = (" x ".join(map(str, one.shape)) for one in (spec, inner))
        raise UsageError(
            f"{name} is {' x '.join(map(str, values.shape))}; the network takes {wanted}, or "
            f"several along an axis before {each}."
        )
    if spec.is_image:
        values = values.reshape(-1, *shape)
    return [(str(index), array) for index, array in enumerate(values)]


def _picture(file: Path, spec: TensorSpec) -> NDArray[np.float32]:
    shape = spec.static_shape()
    if len(shape) != 4 or shape[:2] != (1, 3):
        taken = " x ".join(map(str, shape))
        raise UsageError(f"{file} is a picture, but the network takes {taken}; give arrays.")
    contract = published("classification", (shape[2], shape[3]))
    return contract(LabelledImage(file, 0).open())[None]
