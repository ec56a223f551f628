"""The constants of an ML program: ``Value`` messages to arrays, strings and lists."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from affnet.errors import ArtifactError
from affnet.runtimes.mlprogram.package import Package
from affnet.runtimes.mlprogram.types import TensorType, numpy_dtype, tensor_type
from affnet.runtimes.mlprogram.weights import WeightFile, decode

#: An array (float16 as float32, see `types`), a string, or a list of such.
Value = Any


class Constants:
    """Reads constants, keeping each weight file of the package mapped once."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._files: dict[str, WeightFile] = {}

    def read(self, message: Any) -> Value:
        """Return the value of a ``Value`` message.

        Raises:
            ArtifactError: it contradicts itself or its weight file.
            UnsupportedOperatorError: it is of a type that numpy lacks.
        """
        if message.WhichOneof("value") == "blobFileValue":
            return self._from_file(message)
        immediate = message.immediateValue
        kind = immediate.WhichOneof("value")
        if kind == "tensor":
            return _from_tensor(immediate.tensor, _constant_type(message))
        if kind in ("list", "tuple"):
            return [self.read(value) for value in getattr(immediate, kind).values]
        raise ArtifactError(f"The ML program holds a constant of an unreadable kind, {kind}.")

    def _from_file(self, message: Any) -> Value:
        name, kind = message.blobFileValue.fileName, _constant_type(message)
        if name not in self._files:
            self._files[name] = WeightFile(self._package.beside_model(name))
        array = self._files[name].read(message.blobFileValue.offset, kind.dtype, _sizes(kind))
        return hold(array)


def hold(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return ``array`` as the evaluator holds it: float16 widened to float32."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _constant_type(message: Any) -> TensorType:
    kind = tensor_type(message.type)
    if kind is None or kind.shape is None or None in kind.shape:
        raise ArtifactError("The ML program holds a constant without a fixed shape.")
    return kind


def _sizes(kind: TensorType) -> tuple[int, ...]:
    return tuple(size for size in kind.shape or () if size is not None)


def _from_tensor(message: Any, kind: TensorType) -> Value:
    field, shape = message.WhichOneof("value"), _sizes(kind)
    values = getattr(message, field).values if field else []
    if kind.dtype == "string":
        strings = [str(value) for value in values] or [""]
        return strings if shape else strings[0]
    if math.prod(shape) == 0:
        return hold(np.zeros(shape, numpy_dtype(kind.dtype)))
    try:
        if field == "bytes":
            return hold(decode(bytes(values), kind.dtype, shape))
        return hold(np.array(values, numpy_dtype(kind.dtype)).reshape(shape))
    except (ValueError, OverflowError) as error:
        raise ArtifactError(
            f"The ML program holds a constant whose values do not fill its {kind.dtype} shape "
            f"{list(shape)}."
        ) from error
