"""The values of nodes that depend on weights and constants alone."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch._ops import OpOverload
from torch.fx import Node
from torch.fx.node import map_aggregate

from affnet.export.fourier.rewrite.emitter import Emitter


def known_value(emitter: Emitter, node: Any) -> torch.Tensor | None:
    """Return the tensor that ``node``, of the new graph, always has, None where inputs decide."""
    if not isinstance(node, Node):
        return None
    value = value_of(node, emitter.known)
    return value if isinstance(value, torch.Tensor) else None


def value_of(node: Node, known: dict[Node, Any]) -> Any:
    """Return what ``node`` always has, a tensor or several, None where inputs decide.

    ``known`` holds what is known, of weights to begin with, and gains what is found.
    """
    if node not in known:
        known[node] = _computed(node, known)
    return known[node]


def _computed(node: Node, known: dict[Node, Any]) -> Any:
    target: Any = node.target
    if isinstance(target, OpOverload):
        if torch.Tag.nondeterministic_seeded in target.tags:
            return None
    elif target is not operator.getitem:
        return None
    sources = {source: value_of(source, known) for source in node.all_input_nodes}
    if any(value is None for value in sources.values()):
        return None

    def value(argument: Any) -> Any:
        return sources[argument] if isinstance(argument, Node) else argument

    args: Any = map_aggregate(node.args, value)
    kwargs: Any = map_aggregate(node.kwargs, value)
    with torch.no_grad():
        result = target(*args, **kwargs)
    return result if isinstance(result, (torch.Tensor, tuple, list)) else None
