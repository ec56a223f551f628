"""A graph of ``torch.export`` as `HalfProgram`: run node by node, with and without rounding."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg

from affnet.artifact import Arrays
from affnet.export.converters.mixed_precision import Operation
from affnet.model.stack_traces import source_line


class FxHalfProgram:
    """A graph in float32 whose operators are those of ATen, without any that work in place."""

    def __init__(self, graph: GraphModule) -> None:
        self._graph = graph
        self._nodes: list[Node] = list(graph.graph.nodes)
        self._last_users = _last_users(self._nodes)
        self._stored = {n.name: stored(graph, n) for n in self._nodes if n.op == "get_attr"}
        calls = [node for node in self._nodes if is_operator(node)]
        self._fixed = frozenset(node.name for node in calls if must_be_float32(node))
        self.operations = [self._operation(node) for node in calls]
        self.outputs = [node.name for node in self._nodes[-1].all_input_nodes]

    def compare(
        self, sample: Arrays, float32: frozenset[str]
    ) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
        """See `HalfProgram.compare`."""
        float32 |= self._fixed
        exact: dict[Node, Any] = {}
        mixed: dict[Node, Any] = {}
        fed = map(torch.from_numpy, sample)
        with torch.inference_mode():
            for node in self._nodes[:-1]:
                if node.op == "placeholder":
                    exact[node] = mixed[node] = next(fed)
                elif node.op == "get_attr":
                    exact[node] = mixed[node] = self._stored[node.name]
                else:
                    rounds = is_operator(node) and node.name not in float32
                    exact[node] = _run(node, exact, half=False)
                    mixed[node] = _run(node, mixed, half=rounds)
                if isinstance(exact[node], Tensor) and node.op != "get_attr":
                    yield node.name, exact[node].numpy(), mixed[node].numpy()
                for dead in self._last_users.get(node, ()):
                    del exact[dead], mixed[dead]

    def _operation(self, node: Node) -> Operation:
        constants = [
            self._stored[each.name].detach().numpy()
            for each in node.all_input_nodes
            if each.op == "get_attr" and is_float32(self._stored[each.name])
        ]
        if any(map(is_float32, _values(node, *node.all_input_nodes))):
            constants += [np.array(number) for number in _numbers(node)]
        picked = tuple(user.name for user in node.users if user.target is operator.getitem)
        return Operation(
            node.name,
            operator_name(node),
            tuple(each.name for each in node.all_input_nodes if each.op != "get_attr"),
            picked or (node.name,),
            tuple(constants),
            source_line(node),
        )


def stored(graph: GraphModule, node: Node) -> Any:
    """Return the parameter, buffer or graph that a ``get_attr`` node of ``graph`` names."""
    value: Any = graph
    for name in str(node.target).split("."):
        value = getattr(value, name)
    return value


def is_operator(node: Node) -> bool:
    """Tell nodes that compute from those that pick one of several results."""
    return node.op == "call_function" and node.target is not operator.getitem


def must_be_float32(node: Node) -> bool:
    """Return whether an operator has no float16: one on graphs, or on complex numbers."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return True
    tensors = _values(node, *node.all_input_nodes)
    return any(isinstance(value, Tensor) and value.is_complex() for value in tensors)


def is_float32(value: Any) -> bool:
    """Tell float32 tensors from other types and from what is no tensor."""
    return isinstance(value, Tensor) and value.dtype == torch.float32


def operator_name(node: Node) -> str:
    """Return ``add`` for aten.add.Tensor."""
    return str(getattr(node.target, "__name__", node.target)).split(".")[0]


def _values(*nodes: Node) -> list[Any]:
    """Return the fake values of nodes, each of several results by itself."""
    values = [node.meta.get("val") for node in nodes]
    return [
        each
        for value in values
        for each in (value if isinstance(value, (list, tuple)) else (value,))
    ]


def _numbers(node: Node) -> list[float]:
    """Return the numbers that an operator computes with, which stand in its arguments.

    Shapes and axes are of other types than ``Scalar`` and ``float`` in an operator's schema.
    """
    assert isinstance(node.target, torch._ops.OpOverload)
    found = []
    for index, argument in enumerate(node.target._schema.arguments):
        value = node.args[index] if index < len(node.args) else node.kwargs.get(argument.name)
        kind = str(argument.type).removeprefix("Optional[").removesuffix("]")
        if kind in ("number", "float") and isinstance(value, (int, float)):
            found.append(float(value))
    return found


def _run(node: Node, values: dict[Node, Any], half: bool) -> Any:
    """Run an operator; with ``half``, on what float16 holds of its operands, and round its results.

    Numbers among its arguments stay as they are: one that float16 loses makes it one of float32.
    """

    def value(each: Node) -> Any:
        return _rounded(values[each]) if half else values[each]

    target: Any = node.target
    result = target(*map_arg(node.args, value), **map_arg(node.kwargs, value))
    if not half:
        return result
    several = isinstance(result, (list, tuple))
    return [_rounded(each) for each in result] if several else _rounded(result)


def _rounded(value: Any) -> Any:
    return value.half().float() if is_float32(value) else value


def _last_users(nodes: list[Node]) -> dict[Node, list[Node]]:
    """Return, by node, the values that nothing needs after it."""
    last = {value: node for node in nodes for value in node.all_input_nodes}
    found: dict[Node, list[Node]] = {}
    for value, node in last.items():
        found.setdefault(node, []).append(value)
    return found
