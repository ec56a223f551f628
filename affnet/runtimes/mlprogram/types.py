"""The element types of MIL, Core ML's intermediate language, and the types of its values.

An array of type ``float16`` is held as float32 whose every value a float16 can hold (see
`affnet.runtimes.mlprogram.execution`); integers narrower than a byte as 8-bit integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from affnet.errors import UnsupportedOperatorError

#: Name of each MIL ``DataType``, by its number in MIL.proto.
_NAMES = {
    1: "bool",
    2: "string",
    10: "float16",
    11: "float32",
    12: "float64",
    13: "bfloat16",
    21: "int8",
    22: "int16",
    23: "int32",
    24: "int64",
    25: "int4",
    31: "uint8",
    32: "uint16",
    33: "uint32",
    34: "uint64",
    35: "uint4",
    36: "uint2",
    37: "uint1",
    38: "uint6",
    39: "uint3",
    40: "float8e4m3fn",
    41: "float8e5m2",
}

#: Width of the types that numpy lacks.
_NARROW = {"int4": 4, "uint1": 1, "uint2": 2, "uint3": 3, "uint4": 4, "uint6": 6}

_NUMPY: dict[str, DTypeLike] = {
    "bool": np.bool_,
    "float16": np.float16,
    "float32": np.float32,
    "float64": np.float64,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
}

#: MIL writes types in parameters as coremltools abbreviates them.
_ABBREVIATIONS = {"fp16": "float16", "fp32": "float32", "fp64": "float64"}


@dataclass(frozen=True)
class TensorType:
    """Element type by name, and shape with None for a size known only when run."""

    dtype: str
    shape: tuple[int | None, ...] | None  # None: not even the rank is known

    def admits(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array of ``shape`` is of this type."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            mine in (None, size) for mine, size in zip(self.shape, shape, strict=True)
        )


def dtype_name(number: int) -> str:
    """Return the name of a MIL ``DataType``, ``unknown type N`` for one we never heard of."""
    return _NAMES.get(number, f"unknown type {number}")


def dtype_from_parameter(name: str) -> str:
    """Return the name of the type that an operator's parameter calls ``name``, as in ``fp16``."""
    return _ABBREVIATIONS.get(name, name)


def bits(dtype: str) -> int:
    """Return the bits that an element takes in a weight file."""
    return _NARROW.get(dtype) or numpy_dtype(dtype).itemsize * 8


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """Return the type of numpy that stores ``dtype``; a byte where it is narrower than one.

    Raises:
        UnsupportedOperatorError: numpy has no such type (bfloat16, 8-bit floats).
    """
    if dtype in _NARROW:
        return np.dtype(np.int8 if dtype.startswith("int") else np.uint8)
    if dtype not in _NUMPY:
        raise UnsupportedOperatorError(f"The ML program holds values of {dtype}, unsupported here.")
    return np.dtype(_NUMPY[dtype])


def tensor_type(message: Any) -> TensorType | None:
    """Read a ``ValueType`` message; None if it is a list, dictionary, tuple or state."""
    if message.WhichOneof("type") != "tensorType":
        return None
    tensor = message.tensorType
    if any(size.unknown.variadic for size in tensor.dimensions):
        return TensorType(dtype_name(tensor.dataType), None)
    shape = tuple(
        size.constant.size if size.WhichOneof("dimension") == "constant" else None
        for size in tensor.dimensions
    )
    return TensorType(dtype_name(tensor.dataType), shape)
