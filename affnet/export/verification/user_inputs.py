"""Inputs of the user's own to verify on: a folder of pictures or arrays, or an ``.npz`` file."""

from __future__ import annotations

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.errors import UsageError, first_line
from affnet.evaluation.datasets import SUFFIXES, LabelledImage
from affnet.export.verification.inputs import VerificationInput
from affnet.preprocessing import published
from affnet.reading import LARGEST_ARRAYS, check_inflation

_ARRAYS = (".npy", ".npz")


def read_inputs(path: Path, spec: TensorSpec) -> list[VerificationInput]:
    """Read what a network that takes ``spec`` is to be verified on.

    An array is one input, or several along an axis before those of ``spec``.  A picture is cut as
    in evaluation, RGB in 0..1, for a network that takes 1 x 3 x H x W.

    Raises:
        UsageError: nothing there that fits, or an array of another shape or with values that are
            no finite numbers.
        CorruptImageError: a picture that cannot be decoded.
    """
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
    inputs = [one for file in files for one in _read(file, spec)]
    if not inputs:
        raise UsageError(
            f"--verify-on {path} holds nothing to verify on; give a folder of pictures or .npy "
            "files, or an .npz file."
        )
    return inputs


def _read(file: Path, spec: TensorSpec) -> list[VerificationInput]:
    if file.suffix.lower() in SUFFIXES:
        return [VerificationInput(file.name, _picture(file, spec))]
    try:
        check_inflation(file, LARGEST_ARRAYS)
        with file.open("rb") as stream:
            content = np.load(stream, allow_pickle=False)
            arrays = {"": content} if isinstance(content, np.ndarray) else dict(content)
    except (OSError, ValueError, EOFError, MemoryError, BadZipFile, zlib.error) as error:
        raise UsageError(f"{file} cannot be read as arrays: {first_line(error)}.") from error
    return [
        VerificationInput(" ".join(filter(None, (file.name, name, number))), array)
        for name, stored in arrays.items()
        for number, array in _inputs_in(f"{file} {name}".rstrip(), stored, spec)
    ]


def _inputs_in(
    name: str, stored: NDArray[np.generic], spec: TensorSpec
) -> list[tuple[str, NDArray[np.float32]]]:
    """Return the inputs in an array, numbered where they are several."""
    shape = spec.static_shape()
    if stored.dtype.kind == "c":  # as networks of complex inputs take them
        stored = np.stack((stored.real, stored.imag), axis=-1)
    if stored.dtype.kind not in "fiub":
        raise UsageError(f"{name} is of the type {stored.dtype}; give real numbers.")
    values = stored.astype(np.float32)
    if not np.isfinite(values).all():
        raise UsageError(f"{name} has values that are no finite numbers of float32.")
    if values.shape == shape:
        return [("", values)]
    inner = shape[1:] if spec.is_image else shape
    if values.ndim != len(inner) + 1 or values.shape[1:] != inner or not len(values):
        wanted = " x ".join(map(str, shape))
        raise UsageError(
            f"{name} is {' x '.join(map(str, values.shape))}; the network takes {wanted}, or "
            f"several along an axis before {' x '.join(map(str, inner))}."
        )
    return [(str(index), array.reshape(shape)) for index, array in enumerate(values)]


def _picture(file: Path, spec: TensorSpec) -> NDArray[np.float32]:
    shape = spec.static_shape()
    if len(shape) != 4 or shape[:2] != (1, 3):
        taken = " x ".join(map(str, shape))
        raise UsageError(f"{file} is a picture, but the network takes {taken}; give arrays.")
    contract = published("classification", (shape[2], shape[3]))
    return contract(LabelledImage(file, 0).open())[None]
