"""Operators of ONNX written in another form that computes the same.

For devices that compute one form wrongly.  Each function takes a node and the weights of its
graph, and returns the nodes that stand for it, or None where it does not know such a node; it may
add weights.  Those in front of an operator's list are tried first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx


class Weights:
    """The weights of a graph, to which a form may add some."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._known = {tensor.name: tensor for tensor in graph.initializer}

    def array(self, name: str) -> Any:
        """Return a weight; None if there is none of that name."""
        import onnx

        found = self._known.get(name)
        return None if found is None else onnx.numpy_helper.to_array(found)

    def add(self, name: str, array: Any) -> str:
        """Keep a new weight, and return its name."""
        import onnx

        tensor = onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        self._known[name] = tensor
        self._graph.initializer.append(tensor)
        return name


Form = Callable[["onnx.NodeProto", Weights], "list[onnx.NodeProto] | None"]


def convolution_of_each_group(
    node: onnx.NodeProto, weights: Weights
) -> list[onnx.NodeProto] | None:
    """Return one convolution for each group, between a Split and a Concat over the channels."""
    from onnx import helper

    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    groups, weight = attributes.get("group", 1), weights.array(node.input[1])
    bias = weights.array(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    has_bias = len(node.input) > 2 and bool(node.input[2])
    if groups < 2 or weight is None or (has_bias and bias is None) or len(weight) % groups:
        return None
    base, rest = node.output[0], {k: v for k, v in attributes.items() if k != "group"}
    parts = [f"{base}/group {index}" for index in range(groups)]
    sizes = weights.add(f"{base}/sizes", np.full(groups, weight.shape[1], np.int64))
    nodes = [helper.make_node("Split", [node.input[0], sizes], parts, f"{node.name}/split", axis=1)]
    for index, part in enumerate(parts):
        taken = [part, weights.add(f"{part}.weight", np.split(weight, groups)[index])]
        if bias is not None:
            taken.append(weights.add(f"{part}.bias", np.split(bias, groups)[index]))
        name = f"{node.name}/group {index}"
        nodes.append(helper.make_node("Conv", taken, [f"{part}/result"], name, **rest))
    results = [f"{part}/result" for part in parts]
    return [*nodes, helper.make_node("Concat", results, [base], f"{node.name}/groups", axis=1)]


def product_and_sum(node: onnx.NodeProto, weights: Weights) -> list[onnx.NodeProto] | None:
    """Return ``x W + b`` as MatMul and Add, for a Gemm whose matrix is a weight."""
    from onnx import helper

    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    matrix = weights.array(node.input[1])
    if matrix is None or attributes.get("transA", 0):
        return None
    if attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0:
        return None
    base = node.output[0]
    right = matrix.T if attributes.get("transB", 0) else matrix
    name = weights.add(f"{base}/matrix", right)
    if len(node.input) < 3:
        return [helper.make_node("MatMul", [node.input[0], name], [base], f"{node.name}/mul")]
    return [
        helper.make_node("MatMul", [node.input[0], name], [f"{base}/product"], f"{node.name}/mul"),
        helper.make_node("Add", [f"{base}/product", node.input[2]], [base], f"{node.name}/sum"),
    ]


def sigmoid_by_tanh(node: onnx.NodeProto, weights: Weights) -> list[onnx.NodeProto] | None:
    """Return ``tanh(x / 2) / 2 + 1 / 2``."""
    from onnx import helper

    base = node.output[0]
    half = weights.add(f"{base}/half", np.float32(0.5))
    names = [node.input[0], f"{base}/less", f"{base}/tanh", f"{base}/scaled", base]
    kinds = [("Mul", half), ("Tanh", None), ("Mul", half), ("Add", half)]
    return [
        helper.make_node(kind, [given, *([other] if other else [])], [made], f"{made}/{kind}")
        for (kind, other), given, made in zip(kinds, names[:-1], names[1:], strict=True)
    ]


#: By an operator's type.
FORMS: dict[str, tuple[Form, ...]] = {
    "Conv": (convolution_of_each_group,),
    "Gemm": (product_and_sum,),
    "Sigmoid": (sigmoid_by_tanh,),
}


def rewritten(model: onnx.ModelProto, names: Iterable[str], form: Form) -> onnx.ModelProto:
    """Return a copy of ``model`` with nodes in another form, where that fits them."""
    import onnx

    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph, wanted = changed.graph, {*names}
    weights, nodes = Weights(graph), []
    for node in list(graph.node):
        other = form(node, weights) if node.name in wanted else None
        nodes += [node] if other is None else other
    del graph.node[:]
    graph.node.extend(nodes)
    return _without_unread(changed)


def _without_unread(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the weights that no node reads any more."""
    graph = model.graph
    if any(a.HasField("g") or a.graphs for node in graph.node for a in node.attribute):
        return model  # graphs in nodes read weights too
    read = {name for node in graph.node for name in node.input}
    read |= {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


def fitting(model: onnx.ModelProto, kind: str, form: Form) -> list[list[str]]:
    """Return the names of the nodes of a type that have another form, alike ones together.

    Those are of the same attributes and shapes of weights: a device that computes one of them
    wrongly is taken to compute all so.
    """
    import onnx

    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    scratch = onnx.GraphProto()  # for the weights of forms that are only tried
    scratch.initializer.extend(model.graph.initializer)
    weights = Weights(scratch)
    groups: dict[object, list[str]] = {}
    for node in model.graph.node:
        if node.op_type == kind and form(node, weights) is not None:
            attributes = tuple(sorted(one.SerializeToString() for one in node.attribute))
            taken = tuple(shapes.get(name) for name in node.input)
            groups.setdefault((attributes, taken), []).append(node.name)
    return list(groups.values())
