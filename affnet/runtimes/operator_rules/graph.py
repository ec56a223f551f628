"""The operators of a file, with what rules ask about them."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affnet.errors import ArtifactError


@dataclass(frozen=True)
class Tensor:
    """What an operator reads or makes; ``rank`` is None where it is not known."""

    dtype: str  # numpy's name, "unknown" where it is not known
    rank: int | None
    constant: bool = False


_UNKNOWN = Tensor("unknown", None)


@dataclass(frozen=True)
class GraphNode:
    """One operator."""

    name: str  # its own, or its first output's
    operator: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    version: int = 1  # of the operator, in TFLite files
    attributes: Mapping[str, Any] = field(default_factory=dict)  # numbers and texts


def read_graph(path: Path, format_: str) -> list[GraphNode]:
    """Return the operators of a file of one of the formats in `READERS`, in their order.

    Raises:
        MissingError: the format's package is not installed.
        ArtifactError: the file is damaged.
    """
    return list(READERS[format_](path))


def _onnx(path: Path) -> Iterator[GraphNode]:
    import onnx

    from affnet.runtimes.onnxruntime import read_model

    model = read_model(path)
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # what it cannot infer stays unknown; its exceptions share no base class
        graph = model.graph
    names = {number: name for name, number in onnx.TensorProto.DataType.items()}
    known = {
        value.name: Tensor(
            _onnx_type(names, value.type.tensor_type.elem_type),
            len(value.type.tensor_type.shape.dim)
            if value.type.tensor_type.HasField("shape")
            else None,
        )
        for value in (*graph.input, *graph.output, *graph.value_info)
    }
    known |= {
        value.name: Tensor(_onnx_type(names, value.data_type), len(value.dims), constant=True)
        for value in graph.initializer
    }
    nodes = [node for node in graph.node if node.op_type != "Constant"]  # those run nowhere
    for name in {name for node in graph.node if node.op_type == "Constant" for name in node.output}:
        known[name] = dataclasses.replace(known.get(name, _UNKNOWN), constant=True)
    for node in nodes:
        yield GraphNode(
            node.name or (node.output[0] if node.output else ""),
            f"{node.domain}::{node.op_type}" if node.domain else node.op_type,
            tuple(known.get(name, _UNKNOWN) for name in node.input if name),
            tuple(known.get(name, _UNKNOWN) for name in node.output if name),
            attributes={one.name: onnx.helper.get_attribute_value(one) for one in node.attribute},
        )


def _onnx_type(names: Mapping[int, str], number: int) -> str:
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(
        names.get(number, ""), names.get(number, "unknown").lower()
    )


def _tflite(path: Path) -> Iterator[GraphNode]:
    from affnet.runtimes.litert import LiteRtRuntime

    LiteRtRuntime.operators(path)  # its verifier is stricter than the reader
    from ai_edge_litert import schema_py_generated as schema

    codes = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    types = {code: name.lower() for name, code in vars(schema.TensorType).items() if name.isupper()}
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    except (struct.error, LookupError, AttributeError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is damaged or no TFLite file.") from error
    for graph in model.subgraphs:
        tensors = [
            Tensor(types[one.type], _rank(one.shape), _has_data(model.buffers[one.buffer]))
            for one in graph.tensors
        ]
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            kind = codes[max(code.builtinCode, code.deprecatedBuiltinCode)]
            options = vars(operator.builtinOptions) if operator.builtinOptions is not None else {}
            yield GraphNode(
                (graph.tensors[operator.outputs[0]].name or b"").decode(errors="replace"),
                kind,
                tuple(tensors[index] for index in operator.inputs if index >= 0),
                tuple(tensors[index] for index in operator.outputs),
                code.version,
                options,
            )


def _rank(shape: Any) -> int:
    return 0 if shape is None else len(shape)


def _has_data(buffer: Any) -> bool:
    return buffer.data is not None and len(buffer.data) > 0


def _coreml(path: Path) -> Iterator[GraphNode]:
    from affnet.runtimes.mlprogram.graph import Reference
    from affnet.runtimes.mlprogram.pipeline import load_program
    from affnet.runtimes.mlprogram.program import Program

    program = load_program(path)
    if not isinstance(program, Program):
        raise ArtifactError(f"{path} is a pipeline of models, for which there are no rules.")
    function = program.function
    declared = dict(function.inputs)
    declared |= {one.name: one.type for node in function.walk() for one in node.outputs}

    def tensor(name: str) -> Tensor:
        kind = declared.get(name)
        if kind is None:
            return Tensor("unknown", None, constant=name in function.constants)
        return Tensor(kind.dtype, None if kind.shape is None else len(kind.shape))

    for node in function.walk():
        yield GraphNode(
            node.outputs[0].name if node.outputs else "",
            node.operator,
            tuple(map(tensor, node.references())),
            tuple(tensor(one.name) for one in node.outputs),
            attributes={
                name: value
                for name, (value, *_) in node.parameters.items()
                if not isinstance(value, Reference)
            },
        )


#: By format.
READERS = {"onnx": _onnx, "tflite": _tflite, "coreml": _coreml}
