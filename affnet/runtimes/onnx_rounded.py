"""ONNX files of float16, computed as a device with float16 arithmetic stores their values.

ONNX Runtime on x86 has no float16 kernels for most operators: it computes a file of float16 in
float32, several operators in a row without rounding, where nothing overflows and nothing small is
lost.  What it gives there says little about a phone.  Here each result of an operator that the
file types as float16 is rounded before the next one reads it::

    x -> Conv -> y, in float16
    x -> Conv -> Cast to float16 -> Cast to float32 -> y, in float32

and ONNX Runtime runs that in float32 with its optimisations off, so that the casts stay.  Within
an operator sums are float32, as in the evaluator of Core ML's programs; kernels that sum in
float16 err more, so the error measured here is a lower estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from affnet.errors import ArtifactError, first_line, require

if TYPE_CHECKING:
    import onnx


class RoundedSession:
    """An ONNX file with each float16 value rounded; float32 values stay as they are."""

    def __init__(self, path: Path, threads: int) -> None:
        require("onnxruntime", extra=None, purpose="Running ONNX files")
        import onnx

        try:
            model = onnx.load(path)
            self._halves = [_is_half(value) for value in model.graph.output]
            weights = {tensor.name for tensor in model.graph.initializer}
            taken = [value for value in model.graph.input if value.name not in weights]
            self._takes_half = {value.name: _is_half(value) for value in taken}
            self._session = unoptimised_session(rounded_model(model), threads)
        except Exception as error:  # neither's exceptions share a base class
            raise ArtifactError(f"ONNX Runtime rejects {path}: {first_line(error)}") from error

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`."""
        feed = {
            name: array.astype(np.float16).astype(np.float32) if half else array
            for (name, half), array in zip(self._takes_half.items(), inputs, strict=True)
        }
        found: list[NDArray[Any]] = self._session.run(None, feed)
        return [
            value.astype(np.float16) if half else value
            for value, half in zip(found, self._halves, strict=True)
        ]


def unoptimised_session(model: onnx.ModelProto, threads: int) -> Any:
    """Return an inference session that runs the nodes of ``model`` as they stand."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def rounded_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return ``model`` in float32, with a cast to float16 and back behind what was float16.

    Tensors keep their names.
    """
    import onnx

    typed = onnx.shape_inference.infer_shapes(model, data_prop=False)
    return _in_float32(typed, element_types(typed.graph))


def widened_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return ``model`` in float32 throughout, of the same names: what it means, unrounded."""
    return _in_float32(model, None)


def _in_float32(model: onnx.ModelProto, types: dict[str, int] | None) -> onnx.ModelProto:
    """Return ``model`` in float32, rounded where ``types`` has float16; None: nowhere."""
    import onnx

    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    _round_graph(wide.graph, types)
    return wide


def element_types(graph: onnx.GraphProto, outer: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the element type of each tensor of a graph whose types were inferred."""
    types = dict(outer or {})
    types.update({tensor.name: tensor.data_type for tensor in graph.initializer})
    types.update(
        {
            value.name: value.type.tensor_type.elem_type
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
    )
    return types


def _round_graph(graph: onnx.GraphProto, types: dict[str, int] | None) -> None:
    from onnx import TensorProto

    for tensor in graph.initializer:
        _widen(tensor)
    nodes = list(graph.node)
    del graph.node[:], graph.value_info[:]
    for value in (*graph.input, *graph.output):
        if _is_half(value):
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in nodes:
        half = TensorProto.FLOAT16
        halves = [name for name in node.output if types and types.get(name) == half]
        _widen_attributes(node, types)
        for index, name in enumerate(node.output):
            if name in halves:
                node.output[index] = f"{name}/exact"
        graph.node.append(node)
        for name in halves:
            graph.node.extend(_rounding(f"{name}/exact", name))


def _widen_attributes(node: onnx.NodeProto, types: dict[str, int] | None) -> None:
    """Turn what an operator's attributes say of float16 into float32, graphs included."""
    from onnx import AttributeProto, TensorProto

    for attribute in node.attribute:
        if attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT16:
            attribute.i = TensorProto.FLOAT
        if attribute.type == AttributeProto.TENSOR:
            _widen(attribute.t)
        if attribute.type == AttributeProto.GRAPH:
            inner = None if types is None else element_types(attribute.g, types)
            _round_graph(attribute.g, inner)


def _widen(tensor: onnx.TensorProto) -> None:
    import onnx

    if tensor.data_type == onnx.TensorProto.FLOAT16:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def _rounding(given: str, result: str) -> Sequence[onnx.NodeProto]:
    from onnx import TensorProto, helper

    return (
        helper.make_node("Cast", [given], [f"{result}/half"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", [f"{result}/half"], [result], to=TensorProto.FLOAT),
    )


def _is_half(value: onnx.ValueInfoProto) -> bool:
    import onnx

    return bool(value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16)
