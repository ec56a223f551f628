"""The weight file of an ML program: MILBlob storage, version 2.

The file is a header and then blobs, each of them metadata and data, all aligned to 64 bytes and
little-endian.  A constant names the file and the offset of the metadata::

    header     uint32 number of blobs, uint32 version = 2, 56 bytes reserved
    metadata   uint32 sentinel = 0xDEADBEEF, uint32 element type, uint64 bytes of data,
               uint64 offset of the data, uint64 bits of padding at its end, 32 bytes reserved

The layout is that of coremltools' ``mlmodel/src/MILBlob/Blob/StorageFormat.hpp``.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.errors import ArtifactError
from affnet.runtimes.mlprogram.types import bits, numpy_dtype

_HEADER = struct.Struct("<II56x")
_METADATA = struct.Struct("<IIQQQ32x")
_ALIGNMENT = 64
_VERSION = 2
_SENTINEL = 0xDEADBEEF

#: Name of each element type, by its number in BlobDataType.hpp.
_DTYPES = {
    1: "float16",
    2: "float32",
    3: "uint8",
    4: "int8",
    5: "bfloat16",
    6: "int16",
    7: "uint16",
    8: "int4",
    9: "uint1",
    10: "uint2",
    11: "uint4",
    12: "uint3",
    13: "uint6",
    14: "int32",
    15: "uint32",
    16: "float8e4m3fn",
    17: "float8e5m2",
}


class WeightFile:
    """A weight file, mapped into memory for as long as an array that views it lives."""

    def __init__(self, path: Path) -> None:
        """Map the file at ``path``.

        Raises:
            ArtifactError: it cannot be read or is not a weight file of version 2.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                # copy on write: nothing is copied, yet torch takes the arrays without complaint
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except (OSError, ValueError) as error:  # ValueError: an empty file
            raise ArtifactError(f"The weight file {path} cannot be read: {error}.") from error
        if len(self._map) < _HEADER.size:
            raise ArtifactError(f"The weight file {path} is truncated", "export the model again.")
        _, version = _HEADER.unpack_from(self._map)
        if version != _VERSION:
            raise ArtifactError(f"The weight file {path} is of version {version}, not {_VERSION}.")

    def read(self, offset: int, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return the array whose metadata stands at ``offset``.

        Raises:
            ArtifactError: the blob is damaged, outside the file, or of another type or size.
        """
        number, size, start, _ = self._metadata(offset)
        stored = _DTYPES.get(number, f"unknown type {number}")
        if stored != dtype:
            raise ArtifactError(
                f"The weights at byte {offset} of {self.path} are {stored}, the model says {dtype}."
            )
        return self._array(start, size, dtype, shape)

    def only(self, offsets: Collection[int]) -> tuple[bytes, dict[int, int]]:
        """Return a weight file of those blobs whose metadata stand at ``offsets``.

        With it comes where each of them stands there.

        Raises:
            ArtifactError: as `read`.
        """
        content = bytearray(_HEADER.pack(len(offsets), _VERSION))
        places = {}
        for offset in sorted(offsets):
            number, size, start, padding = self._metadata(offset)
            places[offset] = place = len(content)
            content += _METADATA.pack(_SENTINEL, number, size, place + _METADATA.size, padding)
            content += self._map[start : start + size]
            content += bytes(-len(content) % _ALIGNMENT)
        return bytes(content), places

    def _metadata(self, offset: int) -> tuple[int, int, int, int]:
        """Return a blob's element type, its bytes, where its data start, and its padding bits."""
        if offset + _METADATA.size > len(self._map):
            raise ArtifactError(
                f"The model has weights that point outside the weight file {self.path}, to byte "
                f"{offset} of {len(self._map)}; the file is truncated or of another model."
            )
        sentinel, number, size, start, padding = _METADATA.unpack_from(self._map, offset)
        if sentinel != _SENTINEL:
            raise ArtifactError(f"The weight file {self.path} holds no weights at byte {offset}.")
        if start + size > len(self._map):
            raise ArtifactError(
                f"The weights at byte {offset} point outside the weight file {self.path}: they end "
                f"at byte {start + size} of {len(self._map)}; the file is truncated."
            )
        return number, size, start, padding

    def _array(self, start: int, size: int, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
        count = math.prod(shape)
        needed = math.ceil(count * bits(dtype) / 8)
        if size != needed:
            raise ArtifactError(
                f"The weights at byte {start} of {self.path} are {size} bytes, the model says "
                f"{needed} for the shape {list(shape)}."
            )
        return decode(memoryview(self._map)[start : start + size], dtype, shape)


def decode(data: memoryview | bytes, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the array in ``data``; elements narrower than a byte are packed from its low bits up.

    Raises:
        ValueError: ``data`` is too short or too long for ``shape``.
    """
    width, storage = bits(dtype), numpy_dtype(dtype)
    if width % 8 == 0:
        return (
            np.frombuffer(data, storage.newbyteorder("<"))
            .astype(storage, copy=False)
            .reshape(shape)
        )
    count = math.prod(shape)
    packed = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    values = packed[: count * width].reshape(count, width) @ (1 << np.arange(width))
    if dtype.startswith("int"):
        values = values - (values >> (width - 1) << width)  # two's complement
    return values.astype(storage).reshape(shape)
