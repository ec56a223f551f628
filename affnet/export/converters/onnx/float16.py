"""ONNX in float16: weights and activations, with float32 at the borders and where it is needed."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from affnet.errors import ConversionError, reason_of
from affnet.export.converters.mixed_precision import LARGEST
from affnet.runtimes.onnx_rounded import element_types

if TYPE_CHECKING:
    import onnx

HALF = "_half"  # ends the name of a tensor that is in float16


def in_float16(model: onnx.ModelProto, float32: Collection[str] = frozenset()) -> onnx.ModelProto:
    """Return ``model`` in float16 but for its inputs and outputs and the nodes in ``float32``.

    Before, every tensor in float32::

        image -> Conv -> ... -> Gemm -> logits

    After, every tensor between both casts, and every weight, in float16::

        image -> Cast -> Conv -> ... -> Gemm -> Cast -> logits

    An operator that is named in ``float32``, or that ONNX does not define on float16, keeps its
    type between casts of its own; neighbours of that kind have none between them, so that what one
    gives the other is not rounded.  Where a CPU has no float16 arithmetic, ONNX Runtime computes in
    float32 between casts that it adds.

    onnxruntime's own converter casts to float16 and back between two operators that it is told to
    leave in float32, which is where a value too large for float16 is lost.

    Raises:
        ConversionError: the types of the network's tensors cannot be inferred.
    """
    import onnx

    try:
        typed = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        raise ConversionError(
            f"onnx cannot infer the network's types for float16: {reason_of(error)}."
        ) from error
    return _Halving(typed, float32).run()


class _Halving:
    """One conversion.  A tensor may exist in float32, under its own name, in float16, or both."""

    def __init__(self, model: onnx.ModelProto, float32: Collection[str]) -> None:
        self.model, self.float32 = model, float32
        self.types = element_types(model.graph)
        self.opset = max(entry.version for entry in model.opset_import if not entry.domain)
        self.weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self.single = {value.name for value in model.graph.input} | {*self.weights}
        self.half: set[str] = set()
        self.nodes: list[onnx.NodeProto] = []

    def run(self) -> onnx.ModelProto:
        """Convert node by node; a cast stands before the first node that needs it."""
        import onnx

        result = onnx.ModelProto()
        result.CopyFrom(self.model)
        for node in self.model.graph.node:
            self._convert(node)
        for value in self.model.graph.output:
            self._in_single(value.name)
        del result.graph.node[:], result.graph.value_info[:], result.graph.initializer[:]
        result.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in _references(node)}
        used |= {value.name for value in result.graph.output}
        for name, tensor in self.weights.items():
            if name in used:
                result.graph.initializer.append(tensor)
            if name + HALF in used:
                result.graph.initializer.append(_halved(tensor, name + HALF))
        return result

    def _convert(self, node: onnx.NodeProto) -> None:
        import onnx

        new = onnx.NodeProto()
        new.CopyFrom(node)
        if not self._can_be_half(node):
            for name in _references(node):
                if name in self.types:
                    self._in_single(name)
            self.single.update(node.output)
            self.nodes.append(new)
            return
        schema = self._schema(node)
        for index, name in enumerate(node.input):
            if self._is_float(name):
                wide = not _admits_half(schema.inputs, index)
                new.input[index] = self._in_single(name) if wide else self._in_half(name)
        for index, name in enumerate(node.output):
            if self._is_float(name) and _admits_half(schema.outputs, index):
                new.output[index] = name + HALF
                self.half.add(name)
            else:
                self.single.add(name)
        _halve_attributes(new)
        self.nodes.append(new)

    def _can_be_half(self, node: onnx.NodeProto) -> bool:
        """Return whether a node may compute in float16: the operator does, and it was not excluded.

        One with graphs of its own, or that is told the type of its result, stays as it is.
        """
        if node.name in self.float32 or any(a.name == "dtype" or a.g.node for a in node.attribute):
            return False
        schema = self._schema(node)
        if schema is None:
            return False
        floats = [name for name in (*node.input, *node.output) if self._is_float(name)]
        return bool(floats) and all(
            _admits_half(schema.outputs, index)
            for index, name in enumerate(node.output)
            if self._is_float(name)
        )

    def _schema(self, node: onnx.NodeProto) -> Any:
        import onnx

        if node.domain or not onnx.defs.has(node.op_type):
            return None
        return onnx.defs.get_schema(node.op_type, self.opset)

    def _is_float(self, name: str) -> bool:
        import onnx

        return self.types.get(name) == onnx.TensorProto.FLOAT

    def _in_half(self, name: str) -> str:
        import onnx

        if name not in self.half:
            self.half.add(name)
            if name not in self.weights:
                self._cast(name, name + HALF, onnx.TensorProto.FLOAT16)
        return name + HALF

    def _in_single(self, name: str) -> str:
        import onnx

        if name not in self.single:
            self.single.add(name)
            if name in self.half:
                self._cast(name + HALF, name, onnx.TensorProto.FLOAT)
        return name

    def _cast(self, given: str, result: str, to: int) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node("Cast", [given], [result], name=f"{result}_cast", to=to))


def _admits_half(formals: Any, index: int) -> bool:
    """Return whether the input or output at ``index`` may be float16; the last may be repeated."""
    formal = formals[min(index, len(formals) - 1)]
    return "tensor(float16)" in formal.types


def _halve_attributes(node: onnx.NodeProto) -> None:
    """Turn the types that an operator's attributes name into float16."""
    from onnx import AttributeProto, TensorProto, helper

    if node.op_type == "ConstantOfShape" and not node.attribute:
        zero = helper.make_tensor("value", TensorProto.FLOAT, [1], [0])
        node.attribute.append(helper.make_attribute("value", zero))
    for attribute in node.attribute:
        if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16
        if attribute.type == AttributeProto.TENSOR and attribute.t.data_type == TensorProto.FLOAT:
            attribute.t.CopyFrom(_halved(attribute.t, attribute.t.name))


def _halved(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    """Return a tensor in float16; what is beyond its largest number becomes that."""
    from onnx import numpy_helper

    values = numpy_helper.to_array(tensor)
    finite = np.clip(values, -LARGEST, LARGEST)
    values = np.where(np.isfinite(values), finite, values)
    return numpy_helper.from_array(values.astype(np.float16), name)


def _references(node: onnx.NodeProto) -> list[str]:
    """Return the tensors that a node reads, those that its graphs read included."""
    names = list(node.input)
    for attribute in node.attribute:
        for inner in attribute.g.node:
            names += _references(inner)
    return names
