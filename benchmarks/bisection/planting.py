"""Faults planted into files of each format, behind the operator that gives a value."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bisection.faults import Step

_MIL_FLOAT32, _MIL_INT32 = 11, 23


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


def plant_mlprogram(path: Path, output: str, steps: list[Step], target: Path) -> bool:
    """Do the same with an ML program."""
    from affnet.runtimes.mlprogram.package import open_package
    from affnet.runtimes.mlprogram.protobuf import read_model

    package = open_package(path)
    model = read_model(package.model_file)
    (function,) = model.mlProgram.functions.values()
    block = function.block_specializations[function.opset]
    operations = list(block.operations)
    at = next(
        (i for i, each in enumerate(operations) if output in {o.name for o in each.outputs}), None
    )
    if at is None:
        return False
    (made,) = (one for one in operations[at].outputs if one.name == output)
    made.name = given = f"{output}_planted"
    added: list[Any] = []
    for number, step in enumerate(steps):
        name = output if number == len(steps) - 1 else f"{given}_{number}"
        added.append(_mil_operation(type(operations[at]), step, given, name, made.type))
        given = name
    del block.operations[:]
    block.operations.extend([*operations[: at + 1], *added, *operations[at + 1 :]])
    shutil.copytree(path, target)
    file = target / package.model_file.relative_to(path.resolve())
    file.write_bytes(model.SerializeToString())
    return True


def _mil_operation(message: Any, step: Step, given: str, name: str, kind: Any) -> Any:
    operation = message(type=step.mlprogram)
    operation.inputs["x"].arguments.add(name=given)
    second = {"reshape": "shape", "transpose": "perm"}.get(step.mlprogram, "y")
    value = operation.inputs[second].arguments.add().value
    tensor, immediate = value.type.tensorType, value.immediateValue.tensor
    tensor.rank = step.constant.ndim
    for size in step.constant.shape:
        tensor.dimensions.add().constant.size = size
    if step.constant.dtype.kind == "i":
        tensor.dataType = _MIL_INT32
        immediate.ints.values.extend(step.constant.tolist())
    else:
        tensor.dataType = _MIL_FLOAT32
        immediate.floats.values.extend(step.constant.tolist())
    made = operation.outputs.add(name=name, type=kind)
    if step.mlprogram == "reshape":
        for size, wanted in zip(made.type.tensorType.dimensions, step.constant, strict=True):
            size.constant.size = int(wanted)
    return operation


def plant_openvino(path: Path, output: str, steps: list[Step], target: Path) -> bool:
    """Do the same with a model of OpenVINO, whose operators have ONNX's names of them."""
    from openvino import opset1, save_model

    from affnet.export.bisection.openvino import value_name
    from affnet.runtimes.openvino import model_of

    model = model_of(path)
    ports = [port for node in model.get_ops() for port in node.outputs()]
    given = next((port for port in ports if value_name(port) == output), None)
    if given is None:
        return False
    readers = list(given.get_target_inputs())
    for step in steps:
        second = opset1.constant(step.constant)
        if step.onnx == "Reshape":
            given = opset1.reshape(given, second, special_zero=False).output(0)
        else:
            names = {"Mul": "multiply", "Min": "minimum", "Max": "maximum"}
            operator = getattr(opset1, names.get(step.onnx, step.onnx.lower()))
            given = operator(given, second).output(0)
    for reader in readers:
        reader.replace_source_output(given)
    save_model(model, target, compress_to_fp16=False)
    return True


PLANTERS = {
    "coreml": plant_mlprogram,
    "onnx": plant_onnx,
    "openvino": plant_openvino,
    "tflite": plant_tflite,
}
