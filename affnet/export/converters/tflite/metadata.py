"""TFLite's metadata: what Android tools read from a file of its input and its classes.

It is a second flatbuffer in one of the model's buffers, named ``TFLITE_METADATA``, whose labels are
in a zip archive at the end of the file.  The tables and field numbers are those of
``metadata_schema.fbs`` in tensorflow/tflite-support, version M001.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

_ENTRY = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_PARSER = "1.0.0"  # of the schema: no later field is used
_LABELS = "labels.txt"
_AXIS_LABELS = 2  # AssociatedFileType.TENSOR_AXIS_LABELS
_IMAGE = 2  # ContentProperties.ImageProperties
_NORMALIZATION = 1  # ProcessUnitOptions.NormalizationOptions
_RGB = 1  # ColorSpaceType.RGB
_WEIGHT_ALIGNMENT = 16  # bytes, as TFLite's schema demands of buffers


def with_metadata(
    content: bytes, name: str, value_range: tuple[float, float], labels: Sequence[str] | None
) -> bytes:
    """Add to a TFLite file what its first input and output mean.

    ``value_range`` is what the 8-bit values 0 and 255 become in the input.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    described = _describe(name, value_range, has_labels=labels is not None)
    buffer.data = np.frombuffer(described, np.uint8)
    entry.name, entry.buffer = _ENTRY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = aligned_builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    packed = bytes(builder.Output())
    return packed if labels is None else _with_labels(packed, labels)


def _with_labels(content: bytes, labels: Sequence[str]) -> bytes:
    """Append a zip archive; readers of archives start at the end of a file."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        # a fixed date, so that equal models are equal files
        archive.writestr(zipfile.ZipInfo(_LABELS), "\n".join(labels) + "\n")
    return file.getvalue()


def _describe(name: str, value_range: tuple[float, float], *, has_labels: bool) -> bytes:
    """Return a ``ModelMetadata`` flatbuffer; integers beside the values are field numbers."""
    low, high = value_range
    deviation = 255 / (high - low)  # value = (pixel - mean) / deviation
    b = aligned_builder()
    normalization = _table(b, {0: _floats(b, -low * deviation), 1: _floats(b, deviation)})
    process = _table(b, {1: normalization}, kinds={0: _NORMALIZATION})
    image = _table(b, {}, kinds={0: _RGB})
    image_content = _table(b, {1: image}, kinds={0: _IMAGE})
    statistics = _table(b, {0: _floats(b, high), 1: _floats(b, low)})
    image_tensor = _table(
        b,
        {
            0: b.CreateString("image"),
            3: image_content,
            4: _tables(b, process),
            5: statistics,
        },
    )
    logits = {0: b.CreateString("logits")}
    if has_labels:
        file = _table(b, {0: b.CreateString(_LABELS)}, kinds={2: _AXIS_LABELS})
        logits[6] = _tables(b, file)
    graph = _table(b, {2: _tables(b, image_tensor), 3: _tables(b, _table(b, logits))})
    fields = {0: b.CreateString(name), 3: _tables(b, graph), 7: b.CreateString(_PARSER)}
    b.Finish(_table(b, fields), _IDENTIFIER)
    return bytes(b.Output())


def _table(builder: Any, offsets: dict[int, int], kinds: dict[int, int] | None = None) -> int:
    """Write a table of references and of enumerations of one byte."""
    kinds = kinds or {}
    builder.StartObject(max((*offsets, *kinds)) + 1)
    for field, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(field, offset, 0)
    for field, kind in kinds.items():
        builder.PrependInt8Slot(field, kind, 0)
    return int(builder.EndObject())


def _tables(builder: Any, table: int) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def _floats(builder: Any, value: float) -> int:
    return int(builder.CreateNumpyVector(np.array([value], np.float32)))


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
