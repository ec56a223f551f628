"""The graph of an ONNX file as Model Explorer draws it, and what is known of its nodes.

The form is that of its ``graph_builder`` and ``node_data_builder``, written as plain JSON.  A node
stands in the module of the PyTorch network that it computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affnet.artifact import Manifest

_MIXER, _TRANSFORM = ".filter.", ".transform."  # what names a mixer's parameters, and its matrices
_SLOW, _FAST = "#d93025", "#ffffff"
_NS_OF_MS = 1e6


def graph_of(model: Any, name: str, modules: Mapping[str, str], manifest: Manifest | None) -> Any:
    """Return the graph of an ONNX model.

    Args:
        model: a ``ModelProto``.
        name: of the graph.
        modules: of the PyTorch network, by the names of nodes and of their outputs.
        manifest: what affnet knows of the file, None of another tool's.
    """
    graph = model.graph
    shapes = _shapes(graph)
    weights = {one.name for one in graph.initializer}
    makers: dict[str, tuple[str, int]] = {}
    nodes = []
    for value in graph.input:
        if value.name not in weights:
            makers[value.name] = (value.name, 0)
            nodes.append(_node(value.name, "input", "", [], [(value.name, shapes)]))
    for key, node in keyed(graph):
        fed = [(one, *makers[one]) for one in node.input if one in makers]
        module = modules.get(node.output[0], "") if node.output else ""
        made = _node(key, node.op_type, module, fed, [(one, shapes) for one in node.output])
        made["attrs"] = [{"key": "module", "value": module}] * bool(module) + [
            {"key": "weight", "value": f"{one} {_text(shapes.get(one))}"}
            for one in node.input
            if one in weights
        ]
        nodes.append(made)
        makers |= {one: (key, index) for index, one in enumerate(node.output)}
    for value in graph.output:
        fed = [(value.name, *makers[value.name])] if value.name in makers else []
        nodes.append(_node(f"output {value.name}", "output", "", fed, []))
    about = _about(manifest) if manifest else {}
    return {"id": name, "nodes": nodes, "groupNodeAttributes": {"": about}}


def keyed(graph: Any) -> list[tuple[str, Any]]:
    """Return the nodes of an ONNX graph with a key of each: its name if that is its own."""
    keys: set[str] = {value.name for value in graph.input}
    found = []
    for index, node in enumerate(graph.node):
        key = node.name if node.name and node.name not in keys else f"{node.op_type} #{index}"
        keys.add(key)
        found.append((key, node))
    return found


def times_data(times_ns: Mapping[str, int], name: str) -> dict[str, Any]:
    """Return what colors nodes by the ms that they take."""
    results = {key: {"value": time / _NS_OF_MS} for key, time in times_ns.items()}
    gradient = [{"stop": 0, "bgColor": _FAST}, {"stop": 1, "bgColor": _SLOW}]
    return {name: {"results": results, "gradient": gradient}}


def plan_data(graph: Any, name: str, plan: Mapping[str, str]) -> dict[str, Any]:
    """Return what marks the products with a Fourier transform's matrices: its map, and the plan."""
    shapes = _shapes(graph)
    blocks = {_block(one) for node in graph.node for one in node.input if _TRANSFORM in one} - {""}
    maps: dict[str, str] = {}  # of each block: that of one of its values, as a map may be flattened
    for node in graph.node:
        values = (*node.input, *node.output)
        sides = ["x".join(map(str, shapes.get(value, ())[2:])) for value in values]
        if found := [one for one in sides if one in plan]:
            inside = [b for b in blocks if any(one.startswith(f"{b}.") for one in node.input)]
            maps |= {block: maps.get(block, found[0]) for block in inside}
    results = {}
    for key, node in keyed(graph):
        transforms = [one for one in node.input if _TRANSFORM in one]
        if transforms and (found_map := maps.get(_block(transforms[0]))):
            results[key] = {"value": f"{found_map} {plan[found_map]}", "bgColor": "#c2e7ff"}
    return {name: {"results": results}}


def _block(parameter: str) -> str:
    """Return the block whose mixer a parameter belongs to, "" of one of no mixer."""
    block, mixer, _ = parameter.partition(_MIXER)
    return block if mixer else ""


def _node(
    key: str,
    label: str,
    module: str,
    fed: list[tuple[str, str, int]],
    outputs: list[tuple[str, Mapping[str, tuple[Any, ...]]]],
) -> dict[str, Any]:
    return {
        "id": key,
        "label": label,
        "namespace": module.replace(".", "/"),
        "subgraphIds": [],
        "attrs": [],
        "incomingEdges": [
            {"sourceNodeId": source, "sourceNodeOutputId": str(index), "targetNodeInputId": str(at)}
            for at, (_, source, index) in enumerate(fed)
        ],
        "outputsMetadata": [
            {
                "id": str(index),
                "attrs": [
                    {"key": "tensor_name", "value": value},
                    {"key": "shape", "value": _text(shapes.get(value))},
                ],
            }
            for index, (value, shapes) in enumerate(outputs)
        ],
        "inputsMetadata": [
            {"id": str(at), "attrs": [{"key": "__tensor_tag", "value": value}]}
            for at, (value, _, _) in enumerate(fed)
        ],
    }


def _shapes(graph: Any) -> dict[str, tuple[Any, ...]]:
    """Return the shapes of values and weights that the file states."""
    shapes: dict[str, tuple[Any, ...]] = {one.name: tuple(one.dims) for one in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        axes = value.type.tensor_type.shape.dim
        shapes[value.name] = tuple(axis.dim_param or axis.dim_value for axis in axes)
    return shapes


def _text(shape: tuple[Any, ...] | None) -> str:
    return "unknown" if shape is None else "x".join(map(str, shape)) or "scalar"


def _about(manifest: Manifest) -> dict[str, str]:
    """Return what is shown of the whole file."""
    parity = manifest.parity
    verdict = "not compared"
    if parity is not None:
        verdict = f"{parity.max_rel_error:.1e} of the largest output"
    return {
        "precision": manifest.precision,
        "task": manifest.task,
        "largest error": verdict,
        "weights": manifest.provenance.weights,
        **{f"FFT plan of {size}": plan for size, plan in manifest.fft_plan.items()},
    }
