"""Inputs and outputs under the names that a file should give them, each its own value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from affnet.errors import ConversionError

if TYPE_CHECKING:
    import onnx


def name_borders(model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Give inputs and outputs these names, by an Identity where an output is another's value.

    torch.onnx gives a value one name, that of the last output which it is: an input that a network
    returns as it is would be called like that output, and of two outputs of one value the first
    would be missing.
    """
    from onnx import helper

    graph = model.graph
    taken = [value for value in graph.input if value.name not in _weights(model)]
    renamed = {
        value.name: wanted
        for value, wanted in zip(taken, inputs, strict=True)
        if value.name != wanted
    }
    for value in taken:
        value.name = renamed.get(value.name, value.name)
    for node in _nodes(graph):
        node.input[:] = [renamed.get(name, name) for name in node.input]
    values = [renamed.get(value.name, value.name) for value in graph.output]
    computed = {name for node in graph.node for name in node.output}
    for value, source, wanted in zip(graph.output, values, outputs, strict=True):
        if source == wanted:
            continue
        if wanted in computed:  # under its name another value is computed
            raise ConversionError(f"torch.onnx calls {source!r} what should be {wanted!r}.")
        value.name = wanted
        graph.node.append(helper.make_node("Identity", [source], [wanted], f"{wanted}.same"))


def _weights(model: onnx.ModelProto) -> set[str]:
    return {weight.name for weight in model.graph.initializer}


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield all nodes of a graph, those in branches and loops too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from _nodes(attribute.g)
            for each in attribute.graphs:
                yield from _nodes(each)
