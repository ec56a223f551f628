"""Tensors without elements: sums of nothing are 0, and joined to others they add nothing.

Nothing of the kind reaches a converter.  ExecuTorch's kernels of products of matrices write
nothing where a sum has no terms, and leave what stood in memory; XNNPACK refuses such shapes in
TFLite files.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node
from torch.utils._pytree import tree_map

aten = torch.ops.aten

_CONTRACTIONS = {
    *(aten.einsum.default, aten.matmul.default, aten.mm.default, aten.bmm.default),
    *(aten.mv.default, aten.dot.default),
}
#: What writes its second tensor, or the last, into the first.
_WRITES = {
    *(aten.slice_scatter.default, aten.select_scatter.default, aten.index_put.default),
    *(aten.index_add.default, aten.index_copy.default, aten.masked_scatter.default),
    *(aten.scatter.src, aten.scatter.value, aten.scatter_add.default),
}


def without_empty_tensors(program: ExportedProgram) -> ExportedProgram:
    """Return ``program`` with what its empty tensors give in their place.

    A program that has none is returned as it is.
    """
    if not any(map(_is_empty, program.graph.nodes)):
        return program
    program = program.run_decompositions({})  # a program of its own, functional
    for node in list(program.graph.nodes):
        if _takes_nothing(node):
            _replace(node)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program


def _is_empty(node: Any) -> bool:
    value = node.meta.get("val") if isinstance(node, Node) else None
    return isinstance(value, Tensor) and any(size == 0 for size in map(_known, value.shape))


def _known(size: int | torch.SymInt) -> int | None:
    return size if isinstance(size, int) else None


def _takes_nothing(node: Node) -> bool:
    """Return whether an operator makes a tensor with elements of one without, among others."""
    made = node.meta.get("val")
    return (
        node.op == "call_function"
        and isinstance(made, Tensor)
        and all(isinstance(size, int) for size in made.shape)
        and made.numel() > 0
        and any(map(_is_empty, node.all_input_nodes))
    )


def _replace(node: Node) -> None:
    if node.target is aten.cat.default:
        parts: Any = node.args[0]
        node.args = ([each for each in parts if not _is_empty(each)], *node.args[1:])
        return
    if node.target in _WRITES:
        node.target, node.args, node.kwargs = aten.clone.default, (node.args[0],), {}
        return
    value = 0.0 if node.target in _CONTRACTIONS else _computed(node)
    if value is not None:
        made = node.meta["val"]
        node.target, node.args = aten.full.default, ([*made.shape], value)
        node.kwargs = {"dtype": made.dtype, "device": made.device}


def _computed(node: Node) -> float | None:
    """Return the one number that ``node`` makes of nothing but empty tensors, if it does."""
    if not all(map(_is_empty, node.all_input_nodes)):
        return None

    def real(argument: Any) -> Any:
        if not isinstance(argument, Node):
            return argument
        like = argument.meta["val"]
        return torch.empty(like.shape, dtype=like.dtype)

    target: Any = node.target
    try:
        result = target(*tree_map(real, node.args), **tree_map(real, node.kwargs))
    except Exception:  # the operator's own, of any kind: it stays
        return None
    first = result.flatten()[0]
    return first.item() if bool((result == first).all()) else None
