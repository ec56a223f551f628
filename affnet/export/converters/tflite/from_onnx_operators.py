"""The ONNX nodes that become LiteRT's operators by more than another name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from affnet.errors import ConversionError
from affnet.export.converters.tflite.convolutions import (
    convolution,
    padding,
    transposed_convolution,
)
from affnet.export.converters.tflite.writer import TO_LAST

if TYPE_CHECKING:
    import onnx

    from affnet.export.converters.tflite.from_onnx import Bridge

_REDUCTIONS = {"ReduceMax": "REDUCE_MAX", "ReduceMean": "MEAN", "ReduceSum": "SUM"}
_LAST_OF = (0, 3, 1, 2)  # where an axis of an ONNX map is with channels last


def _clip(bridge: Bridge, node: onnx.NodeProto, _: dict[str, Any]) -> None:
    limits = zip(("MAXIMUM", "MINIMUM"), node.input[1:], strict=False)
    steps = [(kind, limit) for kind, limit in limits if limit]
    if not steps:
        raise ConversionError("A Clip node has no limits.")
    _chain(bridge, node, steps)


def _chain(bridge: Bridge, node: onnx.NodeProto, steps: Sequence[tuple[str, str]]) -> None:
    """Apply operators of two operands, of which the first is the result so far."""
    name = node.input[0]
    for number, (kind, operand) in enumerate(steps, start=1):
        output = node.output[0] if number == len(steps) else f"{node.output[0]}/{kind}"
        bridge.shapes[output] = bridge.shapes[node.output[0]]
        bridge.element_wise(kind, [name, operand], output)
        name = output


def _gelu(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    approximate = attributes.get("approximate") == b"tanh"
    bridge.element_wise("GELU", node.input, node.output[0], "GeluOptions", approximate=approximate)


def _leaky_relu(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    slope = attributes.get("alpha", 0.01)
    bridge.element_wise("LEAKY_RELU", node.input, node.output[0], "LeakyReluOptions", alpha=slope)


def _hard_sigmoid(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    """Return min(max(alpha x + beta, 0), 1)."""
    alpha, beta = attributes.get("alpha", 0.2), attributes.get("beta", 0.5)
    operands = {"MUL": alpha, "ADD": beta, "MAXIMUM": 0.0, "MINIMUM": 1.0}
    names = {kind: f"{node.output[0]}/{kind}/operand" for kind in operands}
    bridge.constants.update((names[kind], np.array(operands[kind])) for kind in operands)
    _chain(bridge, node, list(names.items()))


def _instance_norm(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    scale, bias = (bridge.constant(name, node) for name in node.input[1:])
    value = bridge.value(node.input[0])
    axes = range(2, len(bridge.writer.shape(value)))
    value = bridge.normalised(value, axes, attributes.get("epsilon", 1e-5))
    shape = (-1, *(1 for _ in axes))
    bridge.first[node.output[0]] = _affine(bridge, value, scale.reshape(shape), bias.reshape(shape))


def _layer_norm(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    value = bridge.value(node.input[0])
    rank = len(bridge.writer.shape(value))
    axes = range(attributes.get("axis", -1) % rank, rank)
    value = bridge.normalised(value, axes, attributes.get("epsilon", 1e-5))
    scale = bridge.constant(node.input[1], node)
    bias = bridge.constant(node.input[2], node) if len(node.input) > 2 else np.zeros(())
    bridge.first[node.output[0]] = _affine(bridge, value, scale, bias)


def _affine(bridge: Bridge, value: int, scale: NDArray[Any], bias: NDArray[Any]) -> int:
    """Multiply and add, where that changes anything."""
    if (scale != 1).any():
        value = bridge.binary("MUL", value, scale)
    return bridge.binary("ADD", value, bias) if bias.any() else value


def _batch_norm(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    scale, bias, mean, variance = (
        bridge.constant(name, node).astype(np.float64) for name in node.input[1:]
    )
    scale = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    if len(bridge.shapes[node.input[0]]) != 4:
        shape = (-1, *(1 for _ in bridge.shapes[node.input[0]][2:]))
        shift = (bias - mean * scale).reshape(shape)
        value = bridge.value(node.input[0])
        bridge.first[node.output[0]] = _affine(bridge, value, scale.reshape(shape), shift)
        return
    value = bridge.channels_last(node.input[0])
    bridge.last[node.output[0]] = _affine(bridge, value, scale, bias - mean * scale)


def _matrix_product(bridge: Bridge, node: onnx.NodeProto, _: dict[str, Any]) -> None:
    """FULLY_CONNECTED with a constant matrix, which it stores transposed; else BATCH_MATMUL."""
    name, factor = node.input
    value, shape = bridge.value(name), bridge.shapes[node.output[0]]
    if factor in bridge.constants and bridge.constants[factor].ndim == 2:
        result = _connected(bridge, value, bridge.constants[factor].T, shape)
    else:
        inputs = [value, bridge.value(factor)]
        result = bridge.writer.operator("BATCH_MATMUL", inputs, shape, "BatchMatMulOptions")
    bridge.first[node.output[0]] = result


def _connected(bridge: Bridge, value: int, weights: NDArray[Any], shape: Sequence[int]) -> int:
    inputs = [value, bridge.writer.constant(weights.astype(np.float32))]
    options = "FullyConnectedOptions"
    return bridge.writer.operator("FULLY_CONNECTED", inputs, shape, options, keepNumDims=True)


def _gemm(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    weights = attributes.get("alpha", 1.0) * bridge.constant(node.input[1], node)
    weights = weights if attributes.get("transB") else weights.T
    value, shape = bridge.value(node.input[0]), bridge.shapes[node.output[0]]
    if attributes.get("transA"):
        value = bridge.transposed(value, (1, 0))
    result = _connected(bridge, value, weights, shape)
    if len(node.input) > 2:
        bias = attributes.get("beta", 1.0) * bridge.constant(node.input[2], node)
        result = bridge.binary("ADD", result, bias)
    bridge.first[node.output[0]] = result


def _reduction(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    rank = len(bridge.shapes[node.input[0]])
    axes = attributes.get("axes")
    if axes is None:  # an input in newer opsets
        axes = bridge.constant(node.input[1], node).tolist() if len(node.input) > 1 else range(rank)
    axes = sorted(axis % rank for axis in axes)
    keep, shape = bool(attributes.get("keepdims", 1)), bridge.shapes[node.output[0]]
    results, value = bridge.first, None
    # without the spatial axes, or with all in place, the layout does not matter
    if bridge.prefers_last(node.input[:1]) and rank == 4 and (keep or axes == [2, 3]):
        value, axes = bridge.channels_last(node.input[0]), sorted(_LAST_OF[a] for a in axes)
        if keep:
            shape, results = tuple(shape[axis] for axis in TO_LAST), bridge.last
    inputs = [bridge.value(node.input[0]) if value is None else value]
    inputs.append(bridge.writer.integers(axes))
    kind = _REDUCTIONS[node.op_type]
    results[node.output[0]] = bridge.writer.operator(
        kind, inputs, shape, "ReducerOptions", keepDims=keep
    )


def _transpose(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    value = bridge.value(node.input[0])
    order = attributes.get("perm", range(len(bridge.writer.shape(value)))[::-1])
    bridge.first[node.output[0]] = bridge.transposed(value, list(order))


def _concatenation(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    shape = bridge.shapes[node.output[0]]
    axis = attributes["axis"] % len(shape)
    get, results = bridge.value, bridge.first
    if len(shape) == 4 and bridge.prefers_last(node.input):
        get, results = bridge.channels_last, bridge.last
        shape, axis = tuple(shape[a] for a in TO_LAST), _LAST_OF[axis]
    inputs = [get(name) for name in node.input]
    results[node.output[0]] = bridge.writer.operator(
        "CONCATENATION", inputs, shape, "ConcatenationOptions", axis=axis
    )


def _softmax(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    shape = bridge.shapes[node.output[0]]
    if attributes.get("axis", -1) % len(shape) != len(shape) - 1:
        raise ConversionError("LiteRT has a softmax over the last axis only.")
    inputs = [bridge.value(node.input[0])]
    bridge.first[node.output[0]] = bridge.writer.operator(
        "SOFTMAX", inputs, shape, "SoftmaxOptions", beta=1.0
    )


def _split(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    value = bridge.value(node.input[0])
    start = [0] * len(bridge.writer.shape(value))
    for name in node.output:
        shape = bridge.shapes[name]
        bridge.first[name] = bridge.part(value, start, shape)
        axis = attributes.get("axis", 0)
        start[axis] += shape[axis]


def _slice(bridge: Bridge, node: onnx.NodeProto, _: dict[str, Any]) -> None:
    """SLICE, which takes where it begins and its shape; steps other than 1 are not held."""
    value, shape = bridge.value(node.input[0]), bridge.shapes[node.output[0]]
    starts, _ends, axes, *steps = (bridge.constant(name, node) for name in node.input[1:])
    if any((step != 1).any() for step in steps):
        raise ConversionError("The TFLite route by ONNX has no slices with steps.")
    begin, whole = [0] * len(shape), bridge.writer.shape(value)
    for axis, start in zip(axes.tolist(), starts.tolist(), strict=True):
        begin[axis] = min(start % whole[axis] if start < 0 else start, whole[axis])
    bridge.first[node.output[0]] = bridge.part(value, begin, shape)


def _gather(bridge: Bridge, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
    """GATHER by constant places."""
    value, shape = bridge.value(node.input[0]), bridge.shapes[node.output[0]]
    axis = attributes.get("axis", 0) % len(bridge.writer.shape(value))
    places = bridge.constant(node.input[1], node) % bridge.writer.shape(value)[axis]
    inputs = [value, bridge.writer.constant(places.astype(np.int32))]
    bridge.first[node.output[0]] = bridge.writer.operator(
        "GATHER", inputs, shape, "GatherOptions", axis=axis
    )


#: How each kind of node is converted.
NODES: dict[str, Callable[[Bridge, onnx.NodeProto, dict[str, Any]], None]] = {
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concatenation,
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "HardSigmoid": _hard_sigmoid,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "LeakyRelu": _leaky_relu,
    "MatMul": _matrix_product,
    "Pad": padding,
    **dict.fromkeys(_REDUCTIONS, _reduction),
    "Softmax": _softmax,
    "Slice": _slice,
    "Split": _split,
    "Transpose": _transpose,
}
