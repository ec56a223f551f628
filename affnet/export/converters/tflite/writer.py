"""Writing a TFLite file operator by operator: one graph, of float32 tensors of static shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.export.converters.tflite.flatbuffer import aligned_builder

#: The order of a map's axes, from ONNX's to LiteRT's and back.
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_SCHEMA_VERSION = 3
_ENLARGED_CODES = 127  # what the older field for operators says of all that it cannot hold
_VERSIONS = {"BROADCAST_TO": 2}  # of operators; the first is what runtimes know of all others


class GraphWriter:
    """A graph under construction; tensors go by their number."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated

        self._schema = schema_py_generated
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [self._schema.BufferT()]  # the first means: no content
        self._operators: list[Any] = []
        self._codes: dict[str, int] = {}
        self._constants: dict[tuple[Any, ...], int] = {}
        self._shapes: list[tuple[int, ...]] = []

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Return the shape of a tensor."""
        return self._shapes[tensor]

    def padding(self, name: str) -> int:
        """Return the schema's number for SAME or VALID."""
        return int(getattr(self._schema.Padding, name))

    def tensor(self, name: str, shape: Sequence[int], dtype: str = "float32") -> int:
        """Add a tensor without content."""
        return self._add(name, shape, np.dtype(dtype), 0)

    def constant(self, values: NDArray[Any]) -> int:
        """Add a constant of float32 or int32, or return the one of equal content."""
        values = np.ascontiguousarray(values)
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._constants:
            buffer = self._schema.BufferT()
            buffer.data = values.reshape(-1).view(np.uint8)
            self._buffers.append(buffer)
            name = f"constant_{len(self._constants)}"
            index = self._add(name, values.shape, values.dtype, len(self._buffers) - 1)
            self._constants[key] = index
        return self._constants[key]

    def integers(self, values: Sequence[int]) -> int:
        """Add a list of numbers, such as axes or a shape."""
        return self.constant(np.array(values, np.int32))

    def operator(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        options: str = "",
        **settings: Any,
    ) -> int:
        """Add an operator of one output and return that; ``options`` names its table of settings.

        The names are the schema's: of ``BuiltinOperator``, ``BuiltinOptions`` and the fields there.
        """
        output = self.tensor(f"{kind.lower()}_{len(self._operators)}", shape)
        operator = self._schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(kind, len(self._codes))
        operator.inputs, operator.outputs = list(inputs), [output]
        if options:
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(self._schema, f"{options}T")()
            assert settings.keys() <= vars(operator.builtinOptions).keys()
            vars(operator.builtinOptions).update(settings)
        self._operators.append(operator)
        return output

    def finish(self, inputs: Sequence[int], outputs: Sequence[int], name: str) -> bytes:
        """Return the file of a graph that takes and gives these tensors."""
        graph, model = self._schema.SubGraphT(), self._schema.ModelT()
        graph.name, graph.tensors, graph.operators = name, self._tensors, self._operators
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        model.version, model.description = _SCHEMA_VERSION, name
        model.subgraphs, model.buffers = [graph], self._buffers
        model.operatorCodes = [self._code(kind) for kind in self._codes]
        builder = aligned_builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _code(self, kind: str) -> Any:
        code = self._schema.OperatorCodeT()
        code.builtinCode = getattr(self._schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, _ENLARGED_CODES)
        code.version = _VERSIONS.get(kind, 1)
        return code

    def _add(self, name: str, shape: Sequence[int], dtype: np.dtype[Any], buffer: int) -> int:
        types = self._schema.TensorType
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
        tensor.type = getattr(types, dtype.name.upper())
        self._tensors.append(tensor)
        self._shapes.append(tuple(shape))
        return len(self._tensors) - 1
