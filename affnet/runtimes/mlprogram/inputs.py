"""What a caller passes to a program, checked and brought to the program's layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.errors import ArtifactError, UsageError
from affnet.runtimes.mlprogram.description import Feature
from affnet.runtimes.mlprogram.types import TensorType, numpy_dtype


def read_inputs(
    features: Sequence[Feature],
    types: Mapping[str, TensorType | None],
    values: Mapping[str, Any],
) -> dict[str, NDArray[Any]]:
    """Return an array for each of ``features``, of the shape and type in ``types``.

    Raises:
        UsageError: one is missing, unknown, or of a wrong shape or type.
        ArtifactError: the program does not take what the model's description says.
    """
    names = [feature.name for feature in features]
    for name in values:
        if name not in names:
            raise UsageError(f"The model has no input {name!r}; its inputs: {', '.join(names)}.")
    arrays = {}
    for feature in features:
        if feature.name not in values:
            raise UsageError(f"The model's input {feature.name!r} is missing.")
        array = np.asarray(values[feature.name])
        read = _image if feature.kind == "image" else _tensor
        array = read(feature, array)
        kind = types[feature.name]
        if kind is not None and kind.shape == ():  # Core ML describes a scalar as of shape 1
            array = array.reshape(())
        if kind is not None and not kind.admits(array.shape):
            raise ArtifactError(
                f"The model is damaged: its description and its program disagree on the shape of "
                f"the input {feature.name!r}."
            )
        arrays[feature.name] = array
    return arrays


def _tensor(feature: Feature, array: NDArray[Any]) -> NDArray[Any]:
    dtype = numpy_dtype(feature.dtype)
    wanted = np.floating if np.issubdtype(dtype, np.floating) else np.integer
    if not np.issubdtype(array.dtype, wanted):
        raise UsageError(f"The input {feature.name!r} takes {dtype}, not {array.dtype}.")
    _check_shape(feature, array.shape)
    return array.astype(dtype)


def _image(feature: Feature, array: NDArray[Any]) -> NDArray[Any]:
    grey = (feature.color_layout or "").startswith("GRAYSCALE")
    if array.dtype == np.uint8 and array.ndim == (2 if grey else 3):
        array = array[None, None] if grey else array.transpose(2, 0, 1)[None]
    elif array.ndim != 4 or not np.issubdtype(array.dtype, np.floating):
        channels = "" if grey else " x 3"
        raise UsageError(
            f"The input {feature.name!r} takes an image, H x W{channels} of uint8, or floats of "
            f"shape {feature.shapes()} in 0..255, not {array.dtype} of shape "
            f"{' x '.join(map(str, array.shape))}."
        )
    _check_shape(feature, array.shape)
    if feature.color_layout == "BGR":
        array = array[:, ::-1]
    return array.astype(numpy_dtype(feature.dtype))


def _check_shape(feature: Feature, shape: tuple[int, ...]) -> None:
    if not feature.admits(shape):
        raise UsageError(
            f"The input {feature.name!r} takes shape {feature.shapes()}, not "
            f"{' x '.join(map(str, shape)) or 'a scalar'}."
        )
