"""ExecuTorch in float16: operators that XNNPACK computes in half, float32 where half fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.fx.node import map_aggregate, map_arg

from affnet.artifact import Arrays
from affnet.export.converters.executorch.half_program import (
    FxHalfProgram,
    is_float32,
    is_operator,
    must_be_float32,
    stored,
)
from affnet.export.converters.executorch.int8 import is_kept
from affnet.export.converters.executorch.tensors import drop_unused_tensors
from affnet.export.converters.mixed_precision import HalfChoice, choose_float32
from affnet.export.quantization.layers import NOTHING_KEPT, Kept


def in_float16(
    network: nn.Module,
    example: tuple[Tensor, ...],
    samples: Sequence[Arrays] = (),
    keep: Kept = NOTHING_KEPT,
) -> tuple[GraphModule, HalfChoice]:
    """Return ``network`` as a graph in float16, and what of it stays in float32.

    Its input and outputs are of float32, and so are the parts ``keep``, and what `choose_float32`
    keeps by ``samples``::

        x -> cast -> conv -> cast -> log -> cast -> linear -> cast -> logits

    Types that the network names itself, as those of new tensors, become float16 too.  ``network``
    keeps its own tensors: the graph gets rounded copies.  XNNPACK keeps the weights of
    convolutions in float32 in the file and rounds them when it loads it, so that the file hardly
    shrinks; what shrinks are activations.
    """
    program = torch.export.export(network, example).run_decompositions({})  # nothing in place
    graph = program.module(check_guards=False)
    choice = choose_float32(FxHalfProgram(graph), samples)
    kept = {node.name for node in graph.graph.nodes if is_kept(node, keep)}
    _store_in_half(graph, frozenset({*choice.kept, *kept}))
    return graph, choice


def _store_in_half(graph: GraphModule, float32: frozenset[str]) -> None:
    """Let all operators of ``graph`` but those in ``float32`` read and give float16, in place."""
    caster = _Caster(graph)
    for node in list(graph.graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            graph.graph.erase_node(node)  # of types as they were
        elif not is_operator(node):  # results of several are picked in the type that they have
            if node.op == "output":
                caster.feed(node, torch.float32)
            elif node.op == "call_function" and node.args[0] in caster.halved:
                caster.halved.add(node)
        elif node.name in float32 or must_be_float32(node):
            caster.feed(node, torch.float32)
        else:
            node.args = map_aggregate(node.args, _halved_type)
            node.kwargs = map_aggregate(node.kwargs, _halved_type)
            caster.feed(node, torch.float16)
            caster.halved.add(node)
    graph.graph.eliminate_dead_code()  # weights whose rounded copies alone are read
    graph.graph.lint()
    drop_unused_tensors(graph)
    graph.recompile()


def _halved_type(value: Any) -> Any:
    return torch.float16 if value is torch.float32 else value


class _Caster:
    """Puts casts between operators of either type, one for all readers of a value."""

    def __init__(self, graph: GraphModule) -> None:
        self._graph = graph
        self._casts: dict[Node, Node] = {}
        self.halved: set[Node] = set()  # whose float results are of float16

    def feed(self, node: Node, dtype: torch.dtype) -> None:
        """Let ``node`` read its float operands in ``dtype``."""

        def operand(value: Node) -> Node:
            single = value not in self.halved
            if not self._is_float(value) or single == (dtype == torch.float32):
                return value
            if value not in self._casts:
                self._casts[value] = self._cast(value, dtype)
            return self._casts[value]

        node.args, node.kwargs = map_arg(node.args, operand), map_arg(node.kwargs, operand)

    def _is_float(self, value: Node) -> bool:
        known = stored(self._graph, value) if value.op == "get_attr" else value.meta.get("val")
        return is_float32(known)

    def _cast(self, value: Node, dtype: torch.dtype) -> Node:
        """Return a node of ``value`` in another type: of a weight, a rounded copy beside it."""
        graph = self._graph.graph
        with graph.inserting_after(value):
            if value.op != "get_attr":
                return graph.call_function(
                    torch.ops.aten._to_copy.default, (value,), {"dtype": dtype}
                )
            name = f"{value.name}_{str(dtype).removeprefix('torch.')}"
            self._graph.register_buffer(name, stored(self._graph, value).detach().to(dtype))
            return graph.get_attr(name)
