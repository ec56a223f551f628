"""The values of nodes that depend on weights and constants alone."""

from __future__ import annotations

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
    if node not in emitter.known:
        emitter.known[node] = _computed(emitter, node)
    return emitter.known[node]


def _computed(emitter: Emitter, node: Node) -> torch.Tensor | None:
    target = node.target
    if not isinstance(target, OpOverload) or torch.Tag.nondeterministic_seeded in target.tags:
        return None
    sources = {source: known_value(emitter, source) for source in node.all_input_nodes}
    if not all(isinstance(value, torch.Tensor) for value in sources.values()):
        return None

    def value(argument: Any) -> Any:
        return sources[argument] if isinstance(argument, Node) else argument

    args: Any = map_aggregate(node.args, value)
    kwargs: Any = map_aggregate(node.kwargs, value)
    with torch.no_grad():
        result = target(*args, **kwargs)
    return result if isinstance(result, torch.Tensor) else None
