"""An artifact on tensors of the user's own, whatever they mean."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, Artifact, TensorSpec
from affnet.dynamic_axes import check_lengths
from affnet.errors import ArtifactError, UsageError, first_line
from affnet.reading import LARGEST_ARRAYS, check_inflation
from affnet.runtimes import runtime_for


def run_on_tensors(artifact: Artifact, given: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Run an artifact once; return its outputs by their names.

    Args:
        artifact: what to run.
        given: ``NAME=FILE.npy`` for each input, ``FILE.npy`` where there is only one, or
            ``FILE.npz`` with an array for each.

    Raises:
        UsageError: an input is missing, unknown, given twice, of another shape, or of values that
            its type does not hold.
        ArtifactError: the runtime rejects the file, or it does not run.
    """
    manifest = artifact.manifest
    arrays = read_tensors(given, manifest.inputs)
    check_lengths(
        {
            spec.name: (spec.shape, array.shape)
            for spec, array in zip(manifest.inputs, arrays, strict=True)
        },
        manifest.dynamic,
    )
    session = runtime_for(manifest.format).load(artifact.path, threads=1)
    try:
        outputs = session.run(*arrays)
    except Exception as error:  # each runtime has its own kinds
        raise ArtifactError(
            f"{runtime_for(manifest.format).name} cannot run {artifact.path}: {first_line(error)}."
        ) from error
    return {
        spec.name: output.reshape(spec.static_shape()) if not spec.shape else output
        for spec, output in zip(manifest.outputs, outputs, strict=True)
    }


def read_tensors(given: Sequence[str], specs: Sequence[TensorSpec]) -> Arrays:
    """Return an array for each of ``specs``; see `run_on_tensors`."""
    known = {spec.name: spec for spec in specs}
    found: dict[str, NDArray[Any]] = {}
    for text in given:
        name, sign, file = text.rpartition("=")
        arrays = arrays_in(Path(file))
        if sign or "" in arrays:
            if len(arrays) > 1:
                raise UsageError(f"{file} holds {len(arrays)} arrays; give it without {name!r}.")
            label = name if sign else specs[0].name
            if not sign and len(specs) > 1:
                raise UsageError(
                    f"It is not known which input {file} is for",
                    f"name it: {' or '.join(f'--input {each}={file}' for each in known)}.",
                )
            arrays = {label: next(iter(arrays.values()))}
        for label, array in arrays.items():
            if label not in known:
                raise UsageError(f"There is no input {label!r}; there are: {', '.join(known)}.")
            if label in found:
                raise UsageError(f"The input {label!r} is given twice.")
            found[label] = _fitting(array, known[label])
    if missing := [name for name in known if name not in found]:
        raise UsageError(
            f"The input {missing[0]!r} is missing", f"give it by --input {missing[0]}=FILE.npy."
        )
    return tuple(found[spec.name] for spec in specs)


def arrays_in(file: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` file by name, or that of an ``.npy`` file under ""."""
    try:
        check_inflation(file, LARGEST_ARRAYS)
        with file.open("rb") as stream:
            content = np.load(stream, allow_pickle=False)
            return {"": content} if isinstance(content, np.ndarray) else dict(content)
    except (OSError, ValueError, EOFError, MemoryError, BadZipFile, zlib.error) as error:
        reason = first_line(error)
        if "pickle" in reason:  # numpy advises to load it all the same
            reason = "it is no file of NumPy's, or holds objects of Python"
        raise UsageError(f"{file} cannot be read as arrays: {reason}.") from error


def _fitting(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """Return an array in the type of ``spec``; a complex one in its real and imaginary parts."""
    if array.dtype.kind == "c":
        array = np.stack((array.real, array.imag), axis=-1)
    if not spec.fits(array.shape):
        wanted, is_ = (" x ".join(map(str, s)) or "a scalar" for s in (spec.shape, array.shape))
        raise UsageError(f"The input {spec.name!r} is {is_}; the file takes {wanted}.")
    if array.dtype.kind not in "fiub":
        raise UsageError(f"The input {spec.name!r} is of the type {array.dtype}; give numbers.")
    with np.errstate(all="ignore"):
        values = array.astype(spec.dtype)
    if values.dtype.kind != "f" and not np.array_equal(values, array):
        raise UsageError(f"The input {spec.name!r} has values that {spec.dtype} does not hold.")
    return values
