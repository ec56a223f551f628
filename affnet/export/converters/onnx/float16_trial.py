"""An ONNX model as `HalfProgram`: computed in float32, and as its file of float16 would be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays
from affnet.export.converters.mixed_precision import Operation
from affnet.export.converters.onnx.float16 import HALF, in_float16
from affnet.runtimes.onnx_rounded import rounded_model, unoptimised_session

if TYPE_CHECKING:
    import onnx

_TENSORS_A_RUN = 64  # fetched together: all those of a large network would fill the memory
_THREADS = 2


class OnnxHalfProgram:
    """The nodes of a model in float32, each of which must have a name of its own."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._inputs = [v.name for v in model.graph.input if v.name not in self._weights]
        self.outputs = [value.name for value in model.graph.output]
        self.operations = [self._operation(node) for node in model.graph.node]
        computed = [name for op in self.operations for name in op.outputs]
        self._groups = [
            computed[start : start + _TENSORS_A_RUN]
            for start in range(0, len(computed), _TENSORS_A_RUN)
        ]
        self._exact: Any = None
        if computed:
            self._exact = unoptimised_session(exposing(model, computed), _THREADS)
        self._mixed: tuple[frozenset[str] | None, Any] = (None, None)

    def compare(
        self, sample: Arrays, float32: frozenset[str]
    ) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
        """See `HalfProgram.compare`."""
        feed = dict(zip(self._inputs, sample, strict=True))
        yield from ((name, array, array) for name, array in feed.items())
        if not self._groups:  # the inputs as they came
            return
        mixed, stored = self._rounding(float32)
        for group in self._groups:
            exact = self._exact.run(group, feed)
            found = mixed.run([stored.get(each, each) for each in group], feed)
            yield from zip(group, exact, found, strict=True)

    def _rounding(self, float32: frozenset[str]) -> tuple[Any, dict[str, str]]:
        """Return a session that rounds, and the names that tensors in float16 have in it."""
        if self._mixed[0] != float32:
            half = in_float16(self._model, float32)
            computing = {op.name for op in self.operations}  # and no cast at a border
            results = {
                name for node in half.graph.node if node.name in computing for name in node.output
            }
            names = [name for group in self._groups for name in group]
            stored = {name: name + HALF for name in names if name + HALF in results}
            exposed = [stored.get(name, name) for name in names]
            session = unoptimised_session(exposing(rounded_model(half), exposed), _THREADS)
            self._mixed = float32, (session, stored)
        found: tuple[Any, dict[str, str]] = self._mixed[1]
        return found

    def _operation(self, node: onnx.NodeProto) -> Operation:
        from onnx import numpy_helper

        constants = [self._weights[name] for name in node.input if name in self._weights]
        return Operation(
            node.name,
            node.op_type,
            tuple(name for name in node.input if name and name not in self._weights),
            tuple(name for name in node.output if name),
            tuple(
                value
                for value in map(numpy_helper.to_array, constants)
                if value.dtype == np.float32
            ),
        )


def named(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give each node of ``model`` that has no name, or another's, one of its own; return it."""
    taken: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{index}"
        taken.add(node.name)
    return model


def exposing(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """Return ``model`` with ``names`` as its outputs, of whatever types they are."""
    import onnx

    typed = onnx.shape_inference.infer_shapes(model)
    graph = typed.graph
    known = {value.name: value for value in (*graph.value_info, *graph.output)}
    outputs = [known.get(name) or onnx.ValueInfoProto(name=name) for name in names]
    del graph.output[:]
    graph.output.extend(outputs)
    return typed
