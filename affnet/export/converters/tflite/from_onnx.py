"""TFLite from ONNX: the second route, without litert-torch and without ``torch.export``.

torch's older exporter writes ONNX from a trace; here each of its nodes becomes builtin operators of
LiteRT.  Other converters of this kind need TensorFlow, or fix the versions of numpy and onnx.

**Layout.**  LiteRT convolves channels-last maps, ONNX holds channels first.  Each value exists in
the layout in which it was made and is transposed when an operator first asks for the other; what
works element by element takes its inputs' layout, so that transposes stand only where maps become
matrices and back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from affnet.errors import ConversionError, reason_of
from affnet.export.converters import ConversionRequest
from affnet.export.converters.onnx import converter as onnx_converter
from affnet.export.converters.onnx.apart import try_torchscript
from affnet.export.converters.tflite.from_onnx_operators import NODES
from affnet.export.converters.tflite.writer import TO_FIRST, TO_LAST, GraphWriter

if TYPE_CHECKING:
    import onnx

_OPSET = 20  # the first with GELU as one node; LiteRT has no error function
_UNARY = {
    "Abs": "ABS", "Cos": "COS", "Exp": "EXP", "HardSwish": "HARD_SWISH", "Log": "LOG",
    "Neg": "NEG", "Relu": "RELU", "Sigmoid": "LOGISTIC", "Sin": "SIN", "Sqrt": "SQRT",
    "Tanh": "TANH",
}  # fmt: skip
_BINARY = {
    "Add": "ADD", "Div": "DIV", "Max": "MAXIMUM", "Min": "MINIMUM", "Mul": "MUL", "Pow": "POW",
    "Sub": "SUB",
}  # fmt: skip
_RESHAPES = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")


def convert_through_onnx(network: nn.Module, request: ConversionRequest) -> bytes:
    """Return the TFLite file of ``network``, which takes its input in ``request.layout``.

    Raises:
        ConversionError: torch crashes, or cannot write it as ONNX; or a node has no counterpart.
    """
    request = dataclasses.replace(request, route="TorchScript")
    if not request.input.is_image:  # any network, and not one of ours
        try_torchscript(network, request, _OPSET)
    return Bridge(onnx_converter.exported_model(network, request, _OPSET), request).converted()


class Bridge:
    """One ONNX graph on its way into one of LiteRT."""

    def __init__(self, model: onnx.ModelProto, request: ConversionRequest) -> None:
        from onnx import numpy_helper, shape_inference

        self.request = request
        try:
            self.graph = shape_inference.infer_shapes(model, strict_mode=True).graph
        except shape_inference.InferenceError as error:
            raise ConversionError(
                f"The ONNX form of {request.name} has no shapes: {reason_of(error)}."
            ) from error
        self.writer = GraphWriter()
        self.constants = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer}
        self.first: dict[str, int] = {}  # values by name, as ONNX has them
        self.last: dict[str, int] = {}  # and with channels last
        typed = (*self.graph.input, *self.graph.value_info, *self.graph.output)
        self.shapes = {
            value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
            for value in typed
        }

    def converted(self) -> bytes:
        """Return the file."""
        if len(self.graph.input) != len(self.request.inputs):
            raise ConversionError(
                f"The ONNX form of {self.request.name} takes {len(self.graph.input)} of its "
                f"{len(self.request.inputs)} inputs: a trace keeps the numbers of the example."
            )
        taken = [
            self._taken(value.name, spec.static_shape())
            for value, spec in zip(self.graph.input, self.request.inputs, strict=True)
        ]
        for node in self.graph.node:
            self.convert(node)
        names = [output.name for output in self.graph.output]
        last = self.request.layout == "NHWC"
        outputs = [
            self.channels_last(name) if last and len(self.shapes[name]) == 4 else self.value(name)
            for name in names
        ]
        return self.writer.finish(taken, outputs, self.request.name)

    def _taken(self, name: str, shape: tuple[int, ...]) -> int:
        if self.request.layout == "NHWC":
            self.last[name] = self.writer.tensor(name, [shape[axis] for axis in TO_LAST])
            return self.last[name]
        self.first[name] = self.writer.tensor(name, shape)
        return self.first[name]

    def convert(self, node: onnx.NodeProto) -> None:
        """Add what computes the outputs of one node."""
        try:
            self._convert(node)
        except (LookupError, ValueError, TypeError) as error:  # a form that is not read here
            raise ConversionError(
                f"The ONNX operator {node.op_type} of {self.request.name} has a form that the "
                f"TFLite route by ONNX does not read: {reason_of(error)}."
            ) from error

    def _convert(self, node: onnx.NodeProto) -> None:
        from onnx import helper, numpy_helper

        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant":
            self.constants[node.output[0]] = numpy_helper.to_array(attributes["value"])
        elif node.op_type in _UNARY:
            self.element_wise(_UNARY[node.op_type], node.input, node.output[0])
        elif node.op_type in _BINARY and len(node.input) == 2:
            self.element_wise(_BINARY[node.op_type], node.input, node.output[0])
        elif node.op_type in _RESHAPES:
            self.first[node.output[0]] = self.reshaped(
                self.value(node.input[0]), self.shapes[node.output[0]]
            )
        elif node.op_type in NODES:
            NODES[node.op_type](self, node, attributes)
        else:
            raise ConversionError(
                f"The ONNX operator {node.op_type} of {self.request.name} has no counterpart in "
                "the TFLite route by ONNX."
            )

    def value(self, name: str) -> int:
        """Return a value as ONNX has it."""
        if name not in self.first:
            if name in self.constants:
                return self.writer.constant(_for_runtime(self.constants[name]))
            self.first[name] = self.transposed(self.last[name], TO_FIRST)
        return self.first[name]

    def channels_last(self, name: str) -> int:
        """Return a value of four axes with the channels last, a constant of fewer broadcast."""
        if name in self.constants:
            constant = _for_runtime(self.constants[name])
            if constant.size == 1:
                return self.writer.constant(constant.reshape(()))
            constant = constant.reshape((1,) * (4 - constant.ndim) + constant.shape)
            return self.writer.constant(constant.transpose(TO_LAST))
        if name not in self.last:
            self.last[name] = self.transposed(self.first[name], TO_LAST)
        return self.last[name]

    def constant(self, name: str, node: onnx.NodeProto) -> NDArray[Any]:
        """Return the content of an input that LiteRT takes as a constant only."""
        if name not in self.constants:
            raise ConversionError(
                f"The input {name} of the ONNX operator {node.op_type} is no constant."
            )
        return self.constants[name]

    def prefers_last(self, names: Sequence[str]) -> bool:
        """Whether an operator on these values should work with channels last."""
        values = [name for name in names if name not in self.constants]
        return bool(values) and all(name in self.last for name in values)

    def element_wise(
        self, kind: str, names: Sequence[str], output: str, options: str = "", **settings: Any
    ) -> None:
        """Add an operator to which the layout is all the same; see `GraphWriter.operator`."""
        shape = self.shapes[output]
        if len(shape) == 4 and self.prefers_last(names):
            inputs = [self.channels_last(name) for name in names]
            shape = tuple(shape[axis] for axis in TO_LAST)
            self.last[output] = self.writer.operator(kind, inputs, shape, options, **settings)
        else:
            inputs = [self.value(name) for name in names]
            self.first[output] = self.writer.operator(kind, inputs, shape, options, **settings)

    def transposed(self, value: int, order: Sequence[int]) -> int:
        """Return a value with its axes in another order."""
        shape = [self.writer.shape(value)[axis] for axis in order]
        return self.writer.operator("TRANSPOSE", [value, self.writer.integers(order)], shape)

    def reshaped(self, value: int, shape: Sequence[int]) -> int:
        """Return the same memory in another shape."""
        return self.writer.operator("RESHAPE", [value, self.writer.integers(shape)], shape)

    def part(self, value: int, begin: Sequence[int], shape: Sequence[int]) -> int:
        """Return the part of a value that begins at a place and has a shape."""
        inputs = [value, self.writer.integers(begin), self.writer.integers(shape)]
        return self.writer.operator("SLICE", inputs, shape)

    def binary(self, kind: str, a: int, b: int | float | NDArray[Any]) -> int:
        """Combine two values, the second one a value or a constant of no larger shape."""
        if not isinstance(b, int):
            b = self.writer.constant(np.asarray(b, np.float32))
        return self.writer.operator(kind, [a, b], self.writer.shape(a))

    def mean(self, value: int, axes: Sequence[int]) -> int:
        """Return the mean over some axes, which stay."""
        shape = [1 if axis in axes else n for axis, n in enumerate(self.writer.shape(value))]
        inputs = [value, self.writer.integers(axes)]
        return self.writer.operator("MEAN", inputs, shape, "ReducerOptions", keepDims=True)

    def normalised(self, value: int, axes: Sequence[int], epsilon: float) -> int:
        """Return (x - mean) / sqrt(variance + epsilon)."""
        deviation = self.binary("SUB", value, self.mean(value, axes))
        variance = self.mean(self.binary("MUL", deviation, deviation), axes)
        shape = self.writer.shape(variance)
        root = self.writer.operator("RSQRT", [self.binary("ADD", variance, epsilon)], shape)
        return self.binary("MUL", deviation, root)


def _for_runtime(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.int32) if values.dtype.kind in "iu" else values.astype(np.float32)
