"""Borders of 8 bits: a quantized file that takes and gives integers, for hardware without floats.

Edge TPUs, NPUs and microcontrollers compute in int8 from border to border.  The quantizer leaves
floats outside: here the operators that convert them go, or convert uint8 instead.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from affnet.artifact import PROBABILITIES, TensorSpec
from affnet.errors import ConversionError
from affnet.export.converters.tflite.flatbuffer import aligned_builder

_ZERO = {"int8": -128, "uint8": 0}  # of what is never negative
_SHIFT = 128  # from int8's zero point to uint8's
_PROBABILITY = 1 / 256  # the step of LiteRT's softmax in 8 bits
_ENLARGED_CODES = 127


@dataclass(frozen=True)
class BorderedFile:
    """A file with borders of 8 bits, and what they are."""

    content: bytes
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]


def with_borders(
    content: bytes, dtype: str, taken: TensorSpec, given: Sequence[TensorSpec]
) -> BorderedFile:
    """Return a quantized file that takes and gives ``dtype``, int8 or uint8.

    Raises:
        ConversionError: an output that is no probability is computed in float32.
    """
    graph = _Graph(content, dtype)
    scale, zero = graph.take(graph.graph.inputs[0])
    input_ = replace(taken, dtype=dtype, range=_range(scale, zero))
    outputs = []
    for place, spec in enumerate(given):
        scale, zero = graph.give(place, spec)
        outputs.append(replace(spec, dtype=dtype, range=_range(scale, zero)))
    return BorderedFile(graph.packed(), input_, tuple(outputs))


def _range(scale: float, zero: int) -> tuple[float, float]:
    """Return what 0 and 1 become; a scale is of float32, whose last digits mean nothing."""
    return float(zero), round(zero + 1 / scale, 3)


class _Graph:
    """The one graph of a file, while its borders change."""

    def __init__(self, content: bytes, dtype: str) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema, self._dtype = schema, dtype
        self._model = schema.ModelT.InitFromPackedBuf(content)
        (self.graph,) = self._model.subgraphs

    def take(self, tensor: int) -> tuple[float, int]:
        """Let the input be of 8 bits; return its scale and zero point."""
        readers = [one for one in self.graph.operators if tensor in one.inputs]
        if all(self._kind(one) == "QUANTIZE" for one in readers):
            inside = readers[0].outputs[0]
            scale, zero = self._quantization(inside)
            if self._dtype == "int8" and len(readers) == 1:
                self._named(inside, tensor)
                self.graph.operators.remove(readers[0])
                self._set_border(self.graph.inputs, 0, inside, "inputs")
                return scale, zero
        else:  # its first layer is kept in float32
            scale, zero = 1 / 255, _ZERO["int8"]
        border, zero = self._border(tensor, scale, zero)
        if all(self._kind(one) == "QUANTIZE" for one in readers):
            for one in readers:
                one.inputs = [border]
        else:
            self.graph.operators.insert(0, self._operator("DEQUANTIZE", border, tensor))
        self._set_border(self.graph.inputs, 0, border, "inputs")
        return scale, zero

    def give(self, place: int, spec: TensorSpec) -> tuple[float, int]:
        """Let an output be of 8 bits; return its scale and zero point."""
        tensor = self.graph.outputs[place]
        (writer,) = (one for one in self.graph.operators if tensor in one.outputs)
        if self._kind(writer) == "DEQUANTIZE":
            inside = writer.inputs[0]
            scale, zero = self._quantization(inside)
            self.graph.operators.remove(writer)
            if self._dtype == "int8":
                self._named(inside, tensor)
                self._set_border(self.graph.outputs, place, inside, "outputs")
                return scale, zero
        elif spec.name == PROBABILITIES:
            inside, scale, zero = tensor, _PROBABILITY, _ZERO["int8"]
        else:
            raise ConversionError(
                f"The output {spec.name} is computed in float32, whose range in 8 bits is not "
                "known; export with --head softmax, or with --io-type float32."
            )
        border, zero = self._border(tensor, scale, zero)
        self.graph.operators.append(self._operator("QUANTIZE", inside, border))
        self._set_border(self.graph.outputs, place, border, "outputs")
        return scale, zero

    def packed(self) -> bytes:
        """Return the file."""
        builder = aligned_builder()
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _kind(self, operator: Any) -> str:
        code = self._model.operatorCodes[operator.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        names = vars(self._schema.BuiltinOperator).items()
        return str(next(name for name, value in names if value == number))

    def _quantization(self, tensor: int) -> tuple[float, int]:
        found = self.graph.tensors[tensor].quantization
        return float(found.scale[0]), int(found.zeroPoint[0])

    def _border(self, model: int, scale: float, zero: int) -> tuple[int, int]:
        """Add a tensor of 8 bits like ``model``, whose name it takes; ``zero`` is of int8."""
        tensor = copy.copy(self.graph.tensors[model])
        zero += _SHIFT if self._dtype == "uint8" else 0
        tensor.type = getattr(self._schema.TensorType, self._dtype.upper())
        tensor.buffer, tensor.quantization = 0, self._schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero]
        self.graph.tensors.append(tensor)
        self.graph.tensors[model] = copy.copy(self.graph.tensors[model])
        self.graph.tensors[model].name = tensor.name + b"_inside"
        return len(self.graph.tensors) - 1, zero

    def _named(self, tensor: int, like: int) -> None:
        self.graph.tensors[tensor].name = self.graph.tensors[like].name

    def _operator(self, kind: str, taken: int, given: int) -> Any:
        code = self._schema.OperatorCodeT()
        code.builtinCode = getattr(self._schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, _ENLARGED_CODES), 2
        self._model.operatorCodes.append(code)
        operator = self._schema.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        operator.inputs, operator.outputs = [taken], [given]
        return operator

    def _set_border(self, side: Any, place: int, tensor: int, name: str) -> None:
        """Replace an input or output, of the signature too."""
        before, numbers = int(side[place]), [int(one) for one in side]
        numbers[place] = tensor
        setattr(self.graph, name, numbers)
        for signature in self._model.signatureDefs or ():
            for entry in getattr(signature, name):
                if entry.tensorIndex == before:
                    entry.tensorIndex = tensor
