"""Faults of devices, planted into files: behind one operator, what it gives is spoiled.

Each is a list of steps, which ONNX and TFLite files have operators for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Value = NDArray[np.float32]


@dataclass(frozen=True)
class Step:
    """An operator, by its name in ONNX and in TFLite, with a constant."""

    onnx: str
    tflite: str
    constant: NDArray[Any]


def _scaled(factor: float) -> Step:
    return Step("Mul", "MUL", np.float32(factor).reshape(1))


def wrong_kernel(value: Value) -> list[Step]:
    """Let another kernel run: what it gives is scaled and shifted."""
    return [_scaled(1.5), Step("Add", "ADD", np.float32(0.1 * _peak(value)).reshape(1))]


def swapped_layout(value: Value) -> list[Step]:
    """Read the values in another order than they were written in."""
    turned = np.array([*value.shape[:-2], value.shape[-1], value.shape[-2]], np.int64)
    axes = [*range(value.ndim - 2), value.ndim - 1, value.ndim - 2]
    return [
        Step("Reshape", "RESHAPE", turned),
        Step("Transpose", "TRANSPOSE", np.array(axes, np.int64)),
    ]


def saturating(value: Value) -> list[Step]:
    """Let nothing be larger than a third of the largest value, as 8 bits with a bad scale."""
    bound = np.float32(_peak(value) / 3).reshape(1)
    return [Step("Min", "MINIMUM", bound), Step("Max", "MAXIMUM", -bound)]


def overflowing(value: Value) -> list[Step]:
    """Let what is above half of the largest value become infinite."""
    large, limit = 1e30, float(np.finfo(np.float32).max)
    return [
        _scaled(2 * large / _peak(value)),
        _scaled(limit / large),
        _scaled(large / limit),
        _scaled(_peak(value) / (2 * large)),
    ]


def not_copied_back(_: Value) -> list[Step]:
    """Give what stood in memory before, zeros, as an operator on the CPU that nobody waits for."""
    return [_scaled(0.0)]


FAULTS: dict[str, Callable[[Value], list[Step]]] = {
    "wrong kernel": wrong_kernel,
    "swapped layout": swapped_layout,
    "saturating 8 bits": saturating,
    "overflow of float16": overflowing,
    "one operator on the CPU": not_copied_back,
}


def _peak(value: Value) -> float:
    return float(np.abs(value).max()) or 1.0


def plant_onnx(path: Path, output: str, steps: list[Step], target: Path) -> bool:
    """Write an ONNX file with ``steps`` behind what gives ``output``; False if nothing does."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(path)
    graph = model.graph
    nodes = list(graph.node)
    at = next((index for index, node in enumerate(nodes) if output in node.output), None)
    if at is None:
        return False
    position = list(nodes[at].output).index(output)
    nodes[at].output[position] = given = f"{output}/planted"
    added = []
    for number, step in enumerate(steps):
        made = output if number == len(steps) - 1 else f"{given} {number}"
        if step.onnx == "Transpose":
            added.append(helper.make_node(step.onnx, [given], [made], perm=step.constant.tolist()))
        else:
            name = f"{made}/constant {number}"
            graph.initializer.append(numpy_helper.from_array(step.constant, name))
            added.append(helper.make_node(step.onnx, [given, name], [made]))
        given = made
    del graph.node[:]
    graph.node.extend([*nodes[: at + 1], *added, *nodes[at + 1 :]])
    onnx.save(model, target)
    return True


def plant_tflite(path: Path, output: str, steps: list[Step], target: Path) -> bool:
    """Do the same with a TFLite file, whose tensors are known by their numbers."""
    import copy

    from ai_edge_litert import schema_py_generated as schema

    from affnet.export.converters.tflite.flatbuffer import aligned_builder

    model = schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()))
    graph, number = model.subgraphs[0], int(output)
    at = next((i for i, each in enumerate(graph.operators) if number in each.outputs), None)
    if at is None:
        return False
    given, added = _new_tensor(graph, copy.copy(graph.tensors[number]), b"planted"), []
    operator = graph.operators[at]
    operator.outputs = np.array([given if o == number else o for o in operator.outputs], np.int32)
    for index, step in enumerate(steps):
        made = number
        if index < len(steps) - 1:
            tensor = copy.copy(graph.tensors[number])
            if step.tflite == "RESHAPE":
                tensor.shape, tensor.shapeSignature = step.constant.astype(np.int32), None
            made = _new_tensor(graph, tensor, f"planted {index}".encode())
        constant = _constant(model, graph, step.constant)
        one = schema.OperatorT()
        one.opcodeIndex = _opcode(model, getattr(schema.BuiltinOperator, step.tflite))
        one.inputs, one.outputs = np.array([given, constant], np.int32), np.array([made], np.int32)
        _set_options(schema, one, step.tflite)
        added.append(one)
        given = made
    graph.operators = [*graph.operators[: at + 1], *added, *graph.operators[at + 1 :]]
    builder = aligned_builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    target.write_bytes(bytes(builder.Output()))
    return True


def _new_tensor(graph: Any, tensor: Any, name: bytes) -> int:
    tensor.name, tensor.buffer = name, 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _constant(model: Any, graph: Any, array: NDArray[Any]) -> int:
    from ai_edge_litert import schema_py_generated as schema

    stored = array.astype(np.int32) if array.dtype.kind == "i" else array
    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.frombuffer(stored.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.shape, tensor.name = np.array(stored.shape, np.int32), b"constant"
    tensor.type = schema.TensorType.INT32 if stored.dtype == np.int32 else schema.TensorType.FLOAT32
    tensor.buffer, tensor.hasRank = len(model.buffers) - 1, True
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _opcode(model: Any, builtin: int) -> int:
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _set_options(schema: Any, operator: Any, kind: str) -> None:
    names = {
        "MUL": "MulOptions", "ADD": "AddOptions", "RESHAPE": "ReshapeOptions",
        "TRANSPOSE": "TransposeOptions", "MINIMUM": "MaximumMinimumOptions",
        "MAXIMUM": "MaximumMinimumOptions",
    }  # fmt: skip
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, names[kind])
    operator.builtinOptions = getattr(schema, f"{names[kind]}T")()


PLANTERS = {"onnx": plant_onnx, "tflite": plant_tflite}
