"""The ONNX nodes of convolutions, and the margins around maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from affnet.errors import ConversionError
from affnet.export.converters.tflite.writer import TO_LAST

if TYPE_CHECKING:
    import onnx

    from affnet.export.converters.tflite.from_onnx import Bridge


def convolution(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    """CONV_2D, its filter O x H x W x I, or DEPTHWISE_CONV_2D, its filter 1 x H x W x O."""
    kernel = bridge.constant(node.input[1], node).astype(np.float32)
    if kernel.ndim != 4:
        raise ConversionError(f"A convolution over {kernel.ndim - 2} axes is not of two.")
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise ConversionError("A convolution does not say its margins.")
    bias = np.zeros(len(kernel), np.float32)
    if len(node.input) > 2:
        bias = bridge.constant(node.input[2], node)
    value = bridge.channels_last(node.input[0])
    channels = bridge.writer.shape(value)[-1]
    groups = attributes.get("group", 1)
    stride, dilation = attributes.get("strides", (1, 1)), attributes.get("dilations", (1, 1))
    settings = {
        "padding": bridge.writer.padding("VALID"),
        "strideH": stride[0], "strideW": stride[1],
        "dilationHFactor": dilation[0], "dilationWFactor": dilation[1],
    }  # fmt: skip
    before, after = np.reshape(attributes.get("pads", (0,) * 4), (2, 2))
    reach = (np.array(kernel.shape[2:]) - 1) * dilation
    if before.any() or after.any():
        # LiteRT's SAME puts an odd margin's larger half behind, for a stride more than torch does
        if tuple(stride) == (1, 1) and (2 * before == reach).all() and (2 * after == reach).all():
            settings["padding"] = bridge.writer.padding("SAME")
        else:
            value = _padded(bridge, value, before, after)
    depthwise = 1 < groups == channels
    order = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
    kind, options = "CONV_2D", "Conv2DOptions"
    if depthwise:
        kind, options = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
        settings["depthMultiplier"] = len(kernel) // channels
    filters = bridge.writer.constant(kernel.transpose(order))
    shape = [bridge.shapes[node.output[0]][axis] for axis in TO_LAST]
    inputs = [value, filters, bridge.writer.constant(bias.astype(np.float32))]
    bridge.last[node.output[0]] = bridge.writer.operator(kind, inputs, shape, options, **settings)


def _padded(bridge: Bridge, value: int, before: Sequence[int], after: Sequence[int]) -> int:
    margins = np.array([(0, 0), *zip(before, after, strict=True), (0, 0)], np.int32)
    shape = np.add(bridge.writer.shape(value), margins.sum(axis=1)).tolist()
    return bridge.writer.operator("PAD", [value, bridge.writer.constant(margins)], shape)


def transposed_convolution(
    bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]
) -> None:
    """TRANSPOSE_CONV for each group, its filter O x H x W x I.

    Margins and dilations are none: `affnet.export.operators.transposed_convolution` writes them so.
    """
    kernel = bridge.constant(node.input[1], node).astype(np.float32)
    if kernel.ndim != 4:
        raise ConversionError(
            f"A transposed convolution over {kernel.ndim - 2} axes is not of two."
        )
    margins = (*attributes.get("pads", ()), *attributes.get("output_padding", ()))
    if any(margins) or set(attributes.get("dilations", (1,))) != {1}:
        raise ConversionError("A transposed convolution has margins or dilations.")
    value = bridge.channels_last(node.input[0])
    *size, channels = bridge.writer.shape(value)
    shape = [bridge.shapes[node.output[0]][axis] for axis in TO_LAST]
    stride, groups = attributes.get("strides", (1, 1)), attributes.get("group", 1)
    each = [*shape[:-1], kernel.shape[1]]
    settings = {
        "padding": bridge.writer.padding("VALID"),
        "strideH": stride[0],
        "strideW": stride[1],
    }
    results, width = [], channels // groups
    for number, filters in enumerate(np.split(kernel, groups)):
        part = value
        if groups > 1:
            part = bridge.part(value, [0, 0, 0, number * width], [*size, width])
        constant = bridge.writer.constant(np.ascontiguousarray(filters.transpose(1, 2, 3, 0)))
        inputs = [bridge.writer.integers(each), constant, part]
        results.append(
            bridge.writer.operator(
                "TRANSPOSE_CONV", inputs, each, "TransposeConvOptions", **settings
            )
        )
    result = results[0]
    if groups > 1:
        result = bridge.writer.operator(
            "CONCATENATION", results, shape, "ConcatenationOptions", axis=3
        )
    if len(node.input) > 2:
        result = bridge.binary("ADD", result, bridge.constant(node.input[2], node))
    bridge.last[node.output[0]] = result


def padding(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    """PAD, of zeros and over all axes."""
    if attributes.get("mode", b"constant") != b"constant" or len(node.input) > 3:
        raise ConversionError("A Pad node is not of a constant over all axes.")
    if len(node.input) > 2 and node.input[2] and bridge.constant(node.input[2], node).any():
        raise ConversionError("A Pad node is not of zeros.")
    margins = bridge.constant(node.input[1], node).reshape(2, -1).T.astype(np.int32)
    if (margins < 0).any():
        raise ConversionError("A Pad node cuts.")
    inputs = [bridge.value(node.input[0]), bridge.writer.constant(margins)]
    shape = bridge.shapes[node.output[0]]
    bridge.first[node.output[0]] = bridge.writer.operator("PAD", inputs, shape)
