"""Preprocessing inside a TFLite file: products with constant matrices, one for each axis.

LiteRT's own resizing takes four neighbours however small the picture becomes.  A matrix is a band,
so that it is cut into blocks, each for the few values that it needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from affnet.export.converters.tflite.flatbuffer import aligned_builder
from affnet.export.converters.tflite.writer import TO_FIRST, GraphWriter
from affnet.export.passes.graph_pixels import PICTURE, GraphPixels

_SWAPPED = (0, 1, 3, 2)  # height and width
_TO_LAST_SWAPPED = (0, 3, 2, 1)


def pixels_alone(pixels: GraphPixels) -> bytes:
    """Return the file of the preprocessing only, which gives 1 x H x W x 3 values in 0..1."""
    writer = GraphWriter()
    taken = writer.tensor(PICTURE, pixels.spec(PICTURE).static_shape(), "uint8")
    shape = writer.shape(taken)
    value = writer.operator("CAST", [taken], shape)
    if pixels.layout == "NHWC":
        value = _transposed(writer, value, TO_FIRST)
    value = _rounded(writer, _resampled(writer, value, pixels, 1))
    value = _transposed(writer, value, _SWAPPED)
    value = _rounded(writer, _resampled(writer, value, pixels, 0))
    value = _transposed(writer, value, _TO_LAST_SWAPPED)
    contract = pixels.contract
    value = _with_constant(writer, "DIV", value, 255.0)
    if contract.normalizes:
        value = _with_constant(writer, "SUB", value, contract.mean)
        value = _with_constant(writer, "DIV", value, contract.std)
    return writer.finish([taken], [value], "pixels")


def with_pixels(content: bytes, pixels: GraphPixels) -> bytes:
    """Return a file that takes 1 x H x W x 3 floats, for pictures of 8 bits."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    first = schema.ModelT.InitFromPackedBuf(pixels_alone(pixels))
    (graph, *_), (steps,) = model.subgraphs, first.subgraphs
    (image,), (result,) = graph.inputs, steps.outputs
    before = len(graph.tensors)

    def number(tensor: int) -> int:
        if tensor < 0:  # an input that is left out
            return int(tensor)
        return int(image if tensor == result else before + tensor)

    for tensor in steps.tensors:
        tensor.buffer += len(model.buffers)
    for operator in steps.operators:
        operator.opcodeIndex += len(model.operatorCodes)
        operator.inputs = [number(one) for one in operator.inputs]
        operator.outputs = [number(one) for one in operator.outputs]
    graph.tensors = [*graph.tensors, *steps.tensors]
    model.buffers = [*model.buffers, *first.buffers]
    model.operatorCodes = [*model.operatorCodes, *first.operatorCodes]
    graph.operators = [*steps.operators, *graph.operators]
    graph.inputs = [number(steps.inputs[0])]
    for signature in model.signatureDefs or ():
        for entry in signature.inputs:
            entry.tensorIndex = graph.inputs[0]
    builder = aligned_builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _resampled(writer: GraphWriter, value: int, pixels: GraphPixels, axis: int) -> int:
    """Resample the last axis of a value, which is the height for ``axis`` 0."""
    *before, _ = writer.shape(value)
    parts = []
    for band in pixels.bands(axis):
        count, length = band.matrix.shape
        begin, size = [0] * len(before) + [band.begin], [*before, length]
        part = writer.operator(
            "SLICE", [value, writer.integers(begin), writer.integers(size)], size
        )
        parts.append(
            writer.operator(
                "FULLY_CONNECTED",
                [part, writer.constant(band.matrix), -1],
                [*before, count],
                "FullyConnectedOptions",
                keepNumDims=True,
            )
        )
    shape = [*before, pixels.contract.crop[axis]]
    if len(parts) == 1:
        return parts[0]
    return writer.operator("CONCATENATION", parts, shape, "ConcatenationOptions", axis=3)


def _rounded(writer: GraphWriter, value: int) -> int:
    """Round to whole numbers in 0..255, halves up, as fixed point does."""
    value = _with_constant(writer, "ADD", value, 0.5)
    value = writer.operator("FLOOR", [value], writer.shape(value))
    return _with_constant(writer, "MINIMUM", _with_constant(writer, "MAXIMUM", value, 0.0), 255.0)


def _with_constant(writer: GraphWriter, kind: str, value: int, constant: Any) -> int:
    operands = [value, writer.constant(np.array(constant, np.float32))]
    return writer.operator(kind, operands, writer.shape(value))


def _transposed(writer: GraphWriter, value: int, order: tuple[int, ...]) -> int:
    shape = [writer.shape(value)[axis] for axis in order]
    return writer.operator("TRANSPOSE", [value, writer.integers(order)], shape)
