"""Maps and signals without a batch: they get a batch of one, and lose it again.

torch takes [C, H, W] where it takes [N, C, H, W].  Converters have patterns of one rank:
litert-torch for pools and mirrored borders, coremltools and that of XNNPACK for pools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node

from affnet.export.operators.rule import Rule

aten = torch.ops.aten

_POOLS: dict[Any, int] = {  # over so many axes
    aten.avg_pool1d.default: 1,
    aten.avg_pool2d.default: 2,
    aten.avg_pool3d.default: 3,
    aten.max_pool1d.default: 1,
    aten.max_pool2d.default: 2,
    aten.max_pool3d.default: 3,
}
_AXES: dict[Any, int] = _POOLS | {
    aten.conv1d.default: 1,
    aten.conv1d.padding: 1,
    aten.conv2d.default: 2,
    aten.conv2d.padding: 2,
    aten.conv3d.default: 3,
    aten.conv3d.padding: 3,
    aten.conv_transpose1d.default: 1,
    aten.conv_transpose2d.input: 2,
    aten.conv_transpose3d.input: 3,
    aten.reflection_pad2d.default: 2,
    aten.replication_pad2d.default: 2,
}


def with_batches(program: ExportedProgram, rules: Mapping[Any, Rule]) -> dict[Any, Rule]:
    """Return ``rules``, and before them those of operators that have no batch in ``program``."""
    nodes = program.graph.nodes
    found = {node.target for node in nodes if node.target in _AXES and _is_unbatched(node)}
    own: dict[Any, Rule] = {target: _with_batch(target) for target in found}
    if any(node.target is aten.pad.default and _pads_unbatched_map(*node.args) for node in nodes):
        own[aten.pad.default] = _pad
    return {**rules, **{target: _first_of(rule, rules.get(target)) for target, rule in own.items()}}


def _is_unbatched(node: Node) -> bool:
    source = node.args[0]
    return isinstance(source, Node) and source.meta["val"].dim() == _AXES[node.target] + 1


def _with_batch(target: Any) -> Rule:
    def rule(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        if x.dim() != _AXES[target] + 1:
            return NotImplemented
        if target in _POOLS and not args[1:2]:  # coremltools wants the stride named
            args = (args[0], args[0])
        return target(x.unsqueeze(0), *args, **kwargs).squeeze(0)

    return rule


def _pads_unbatched_map(x: Any, widths: Sequence[int], mode: str = "constant", *_: Any) -> bool:
    rank = (x.meta["val"] if isinstance(x, Node) else x).dim()
    return mode in ("reflect", "replicate") and len(widths) == 4 and rank == 3


def _pad(x: Tensor, widths: Sequence[int], mode: str = "constant", value: Any = None) -> Any:
    if not _pads_unbatched_map(x, widths, mode):
        return NotImplemented
    return aten.pad.default(x.unsqueeze(0), widths, mode, value).squeeze(0)


def _first_of(rule: Rule, other: Rule | None) -> Rule:
    """Return the rule that is ``rule`` where it holds, and elsewhere ``other``."""

    def either(*args: Any, **kwargs: Any) -> Any:
        result = rule(*args, **kwargs)
        if result is NotImplemented and other is not None:
            result = other(*args, **kwargs)
        return result

    return either
