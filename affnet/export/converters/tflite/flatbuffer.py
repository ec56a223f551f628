"""Writing flatbuffers: models that TFLite maps into memory, and tables by their field numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_WEIGHT_ALIGNMENT = 16  # bytes, as TFLite's schema demands of buffers


def aligned_builder() -> Any:
    """Return a writer of flatbuffers that TFLite maps into memory."""
    import flatbuffers

    class AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]  # it has no types
        """Aligns buffers as the schema demands, which generated Python code forgets.

        Equal vectors are written once: the constants of equal transforms, and the zero points of
        quantised weights, which take as much room as the weights of a depthwise convolution.
        """

        def __init__(self, size: int) -> None:
            super().__init__(size)
            self._written: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802
            """Return the offset of a vector, of an equal one if there is one."""
            key = (x.dtype.str, x.tobytes())
            if key not in self._written:
                self._written[key] = super().CreateNumpyVector(x)
            return self._written[key]

        def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
            """Align vectors of bytes, which are all that buffers are."""
            aligned = _WEIGHT_ALIGNMENT if elemSize == 1 else alignment
            return super().StartVector(elemSize, numElems, aligned)

    return AlignedBuilder(1024)


def table(
    builder: Any,
    offsets: dict[int, int],
    bytes_: dict[int, int] | None = None,
    integers: dict[int, int] | None = None,
    floats_: dict[int, float] | None = None,
) -> int:
    """Write a table, of which fields are given by their number in the schema.

    Args:
        builder: of `aligned_builder`.
        offsets: references to what was written before.
        bytes_: enumerations and booleans.
        integers: of 32 bits.
        floats_: of 32 bits.
    """
    bytes_, integers, floats_ = bytes_ or {}, integers or {}, floats_ or {}
    builder.StartObject(max((-1, *offsets, *bytes_, *integers, *floats_)) + 1)
    for field, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(field, offset, 0)
    for field, integer in integers.items():
        builder.PrependInt32Slot(field, integer, 0)
    for field, number in floats_.items():
        builder.PrependFloat32Slot(field, number, 0.0)
    for field, byte in bytes_.items():
        builder.PrependInt8Slot(field, byte, 0)
    return int(builder.EndObject())


def tables(builder: Any, *written: int) -> int:
    """Write a vector of references to tables."""
    builder.StartVector(4, len(written), 4)
    for offset in reversed(written):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def floats(builder: Any, values: Sequence[float]) -> int:
    """Write a vector of float32."""
    return int(builder.CreateNumpyVector(np.array(values, np.float32)))
