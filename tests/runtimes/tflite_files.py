"""TFLite files of a few operators, written without a converter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def write_chain(path: Path, operators: Sequence[str], shape: Sequence[int] = (1, 4)) -> Path:
    """Write a chain of float32 operators, of one input each, that keep their input's shape."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, "a chain"
    model.buffers = [schema.BufferT() for _ in range(len(operators) + 2)]
    for index in range(len(operators) + 1):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = f"t{index}", [*shape], index + 1
        tensor.type = schema.TensorType.FLOAT32
        graph.tensors = [*(graph.tensors or []), tensor]
    model.operatorCodes, graph.operators = [], []
    for index, name in enumerate(operators):
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        operator.opcodeIndex, operator.inputs, operator.outputs = index, [index], [index + 1]
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    graph.inputs, graph.outputs = [0], [len(operators)]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path
