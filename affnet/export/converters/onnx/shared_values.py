"""What both quantized nodes of an ONNX graph and others read, kept apart while it is quantized.

onnxruntime's quantizer hands the rounded value to all who read it, so that a transform beside a
layer, which stays in float, would get 8 bits::

    x -> rfft                 x -> rfft
    x -> linear               x -> identity -> linear
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from affnet.export.converters.onnx.parts import KINDS

if TYPE_CHECKING:
    import onnx


def part_values(graph: onnx.GraphProto, excluded: frozenset[str]) -> None:
    """Give the nodes that are quantized copies of what others read too, in place.

    What a quantized node gives is rounded for all.
    """
    from onnx import helper

    quantized = [n for n in graph.node if n.op_type in KINDS and n.name not in excluded]
    given = {name for node in quantized for name in node.output}
    taken = {name for node in quantized for name in node.input if name} - given
    names = {node.name for node in quantized}
    others = {name for node in graph.node if node.name not in names for name in node.input}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    copies = {name: f"{name}_in_8_bits" for name in taken & others}
    for name, copy in copies.items():
        if name in weights:
            graph.initializer.add().CopyFrom(weights[name])
            graph.initializer[-1].name = copy
    nodes, copied = [], set(weights)
    for node in graph.node:
        if node.name in names:
            for name in [one for one in node.input if one in copies and one not in copied]:
                nodes.append(helper.make_node("Identity", [name], [copies[name]], copies[name]))
                copied.add(name)
            node.input[:] = [copies.get(name, name) for name in node.input]
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def join_values(graph: onnx.GraphProto) -> None:
    """Leave the copies of `part_values` out again, in place: those before a rounding."""
    rounded = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    copies = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Identity" and node.output[0] in rounded
    }
    given = {output.name for output in graph.output}
    nodes = [node for node in graph.node if node.output[0] not in copies or node.output[0] in given]
    for node in nodes:
        node.input[:] = [copies.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(nodes)
