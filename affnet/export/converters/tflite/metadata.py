"""TFLite's metadata: what MediaPipe Tasks and Android's tools read of a file's input and outputs.

It is a second flatbuffer in one of the model's buffers, named ``TFLITE_METADATA``, whose labels are
in a zip archive at the end of the file.  The tables and field numbers are those of
``metadata_schema.fbs`` in tensorflow/tflite-support, version M001.  What only MediaPipe knows, such
as how a segmenter's scores become confidences, stands in tables of its own inside
(``image_segmenter_metadata_schema.fbs``, ``object_detector_metadata_schema.fbs`` in its package).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from affnet.artifact import CENTERS, TensorSpec
from affnet.export.converters.tflite.flatbuffer import aligned_builder, floats, table, tables

_ENTRY = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_PARSER = "1.0.0"  # of the schema: no later field is used
_LABELS = "labels.txt"
_AXIS_LABELS = 2  # AssociatedFileType.TENSOR_AXIS_LABELS
_IMAGE = 2  # ContentProperties.ImageProperties
_NORMALIZATION = 1  # ProcessUnitOptions.NormalizationOptions
_RGB = 1  # ColorSpaceType.RGB
_SEGMENTER = "SEGMENTER_METADATA"
_MEDIAPIPE_IDENTIFIER = b"V001"
_COORDINATES, _VALUES_PER_KEYPOINT = 4, 2  # it insists on the latter where there are none
_SOFTMAX = 2  # Activation.SOFTMAX
_DETECTOR = "DETECTOR_METADATA"
_BOX = 3  # ContentProperties.BoundingBoxProperties
_BOUNDARIES = 1  # BoundingBoxType.BOUNDARIES: the only one that is read


@dataclass(frozen=True)
class Described:
    """What the metadata say."""

    name: str
    task: str  # of `affnet.artifact.TASKS`
    pixels: tuple[float, float]  # what the 8-bit values 0 and 255 become in the input
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...] | None


def with_metadata(content: bytes, described: Described) -> bytes:
    """Add to a TFLite file what its input and outputs mean."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(_written(described), np.uint8)
    entry.name, entry.buffer = _ENTRY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = aligned_builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    packed = bytes(builder.Output())
    if described.labels is None:
        return packed
    first = int(_suppressed_by_mediapipe(described))  # the background has no column
    return _with_labels(packed, described.labels[first:])


def _suppressed_by_mediapipe(described: Described) -> bool:
    return described.outputs[0].name == CENTERS


def _with_labels(content: bytes, labels: Sequence[str]) -> bytes:
    """Append a zip archive; readers of archives start at the end of a file."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        # a fixed date, so that equal models are equal files
        archive.writestr(zipfile.ZipInfo(_LABELS), "\n".join(labels) + "\n")
    return file.getvalue()


def _written(described: Described) -> bytes:
    """Return a ``ModelMetadata`` flatbuffer; integers beside the values are field numbers."""
    b = aligned_builder()
    outputs = [_output(b, one, described.labels is not None) for one in described.outputs]
    graph = {2: tables(b, _image(b, described.pixels)), 3: tables(b, *outputs)}
    if described.task == "segmentation":
        graph[9] = tables(b, _custom(b, _SEGMENTER, _segmenter(described.outputs)))
    elif _suppressed_by_mediapipe(described):
        graph[9] = tables(b, _custom(b, _DETECTOR, _detector(described.outputs)))
    fields = {
        0: b.CreateString(described.name),
        3: tables(b, table(b, graph)),
        7: b.CreateString(_PARSER),
    }
    b.Finish(table(b, fields), _IDENTIFIER)
    return bytes(b.Output())


def _image(b: Any, pixels: tuple[float, float]) -> int:
    low, high = pixels
    deviation = 255 / (high - low)  # value = (pixel - mean) / deviation
    normalization = table(b, {0: floats(b, [-low * deviation]), 1: floats(b, [deviation])})
    process = table(b, {1: normalization}, {0: _NORMALIZATION})
    content = table(b, {1: table(b, {}, {0: _RGB})}, {0: _IMAGE})
    statistics = table(b, {0: floats(b, [high]), 1: floats(b, [low])})
    return table(b, {0: b.CreateString("image"), 3: content, 4: tables(b, process), 5: statistics})


def _output(b: Any, spec: TensorSpec, has_labels: bool) -> int:
    fields = {0: b.CreateString(spec.name)}
    if spec.name == CENTERS:
        box = table(b, {0: b.CreateNumpyVector(np.arange(4, dtype=np.uint32))}, {1: _BOUNDARIES})
        fields[3] = table(b, {1: box}, {0: _BOX})
    if has_labels and spec.class_axis is not None:
        file = table(b, {0: b.CreateString(_LABELS)}, {2: _AXIS_LABELS})
        fields[6] = tables(b, file)
    return table(b, fields)


def _custom(b: Any, name: str, content: bytes) -> int:
    data = b.CreateNumpyVector(np.frombuffer(content, np.uint8))
    return table(b, {0: b.CreateString(name), 1: data})


def _segmenter(outputs: Sequence[TensorSpec]) -> bytes:
    """Return whether confidences are a softmax of the output."""
    b = aligned_builder()
    activation = {0: _SOFTMAX} if outputs[0].class_axis is not None else {}
    b.Finish(table(b, {1: b.CreateString(_PARSER)}, activation), _MEDIAPIPE_IDENTIFIER)
    return bytes(b.Output())


def _detector(outputs: Sequence[TensorSpec]) -> bytes:
    """Return how boxes come from anchors: as they are, of anchors at 0 of the image's size."""
    b = aligned_builder()
    _, count, classes = outputs[1].static_shape()
    whole = {2: 1.0, 3: 1.0}
    anchors = tables(b, *[table(b, {}, floats_=whole)] * count)  # one table, referred to by all
    options = table(b, {0: table(b, {0: anchors})})
    numbers = {0: classes, 1: count, 2: _COORDINATES, 3: _COORDINATES, 5: _VALUES_PER_KEYPOINT}
    scales = dict.fromkeys((6, 7, 8, 9), 1.0)
    decoding = table(b, {}, integers=numbers, floats_=scales)
    fields = {0: b.CreateString(_PARSER), 1: options, 2: decoding}
    b.Finish(table(b, fields), _MEDIAPIPE_IDENTIFIER)
    return bytes(b.Output())
