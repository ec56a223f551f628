"""Transforms and shifts that take each other back, removed before anything is rewritten.

irfft(rfft(x)), ifft(fft(z)), fft(ifft(z))     of the same axes, length and normalisation
roll(roll(x, s), -s), as by fftshift           of the same axes
conj(conj(z))
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch.fx import Graph, Node

aten = torch.ops.aten

_HALF_INVERSE = {0: 2, 1: 1, 2: 0}  # the normalisation by which a transform of another is undone


def cancel(graph: Graph) -> None:
    """Remove from ``graph`` what comes to nothing."""
    for node in graph.nodes:
        rule = _RULES.get(node.target)
        source = None if rule is None or node.kwargs else rule(graph, node)
        if source is not None:
            node.replace_all_uses_with(source)
    graph.eliminate_dead_code()


def _inner(node: Node, target: Any) -> Node | None:
    inner = node.args[0]
    is_one = isinstance(inner, Node) and inner.target is target and not inner.kwargs
    return inner if is_one else None  # type: ignore[return-value]


def _laid_out(graph: Graph, node: Node, source: Any) -> Node | None:
    """Return ``source`` with the strides of ``node``, None where it is of another kind."""
    have, want = source.meta["val"], node.meta["val"]
    if have.dtype != want.dtype or list(map(str, have.shape)) != list(map(str, want.shape)):
        return None
    if list(map(str, have.stride())) == list(map(str, want.stride())):
        return source  # type: ignore[no-any-return]
    if not want.is_contiguous():
        return None
    layout: dict[str, Any] = {"memory_format": torch.contiguous_format}
    with graph.inserting_before(node):
        copy = graph.call_function(aten.clone.default, (source,), layout)
    copy.meta = dict(node.meta)
    return copy


def _axes(node: Node, axes: Any) -> list[int]:
    rank = node.meta["val"].dim()
    return [int(axis) % rank for axis in axes]


def _undone(outer: Node, inner: Node) -> bool:
    """Return whether two transforms have the same axes and opposite normalisations."""
    axes = _axes(outer, outer.args[1]), _axes(inner, inner.args[1])
    norms: Any = outer.args[2], inner.args[2]
    return sorted(axes[0]) == sorted(axes[1]) and norms[0] == _HALF_INVERSE[norms[1]]


def _real_back(graph: Graph, node: Node) -> Node | None:
    inner = _inner(node, aten._fft_r2c.default)
    if inner is None or not inner.args[3] or not _undone(node, inner):
        return None
    last = _axes(node, node.args[1])[-1]
    source: Any = inner.args[0]
    is_whole = node.args[3] == source.meta["val"].shape[last]
    return _laid_out(graph, node, source) if is_whole and _same_last(node, inner) else None


def _same_last(node: Node, inner: Node) -> bool:
    return _axes(node, node.args[1])[-1] == _axes(inner, inner.args[1])[-1]


def _complex_back(graph: Graph, node: Node) -> Node | None:
    inner = _inner(node, aten._fft_c2c.default)
    if inner is None or node.args[3] == inner.args[3] or not _undone(node, inner):
        return None
    return _laid_out(graph, node, inner.args[0])


def _rolled_back(graph: Graph, node: Node) -> Node | None:
    inner = _inner(node, aten.roll.default)
    if inner is None or len(node.args) < 3 or len(inner.args) < 3:
        return None
    value = node.meta["val"]
    total = dict.fromkeys(range(value.dim()), 0)
    for each in (node, inner):
        shifts: Any = each.args[1]
        for shift, axis in zip(shifts, _axes(each, each.args[2]), strict=True):
            if not isinstance(shift, int) or not isinstance(value.shape[axis], int):
                return None
            total[axis] += shift
    comes_to_nothing = all(
        shift == 0 or shift % value.shape[axis] == 0 for axis, shift in total.items()
    )
    return _laid_out(graph, node, inner.args[0]) if comes_to_nothing and prod(value.shape) else None


def _conjugate_back(graph: Graph, node: Node) -> Node | None:
    inner = _inner(node, node.target)
    return None if inner is None else _laid_out(graph, node, inner.args[0])


_RULES: dict[Any, Callable[[Graph, Node], Node | None]] = {
    aten._fft_c2r.default: _real_back,
    aten._fft_c2c.default: _complex_back,
    aten.roll.default: _rolled_back,
    aten._conj.default: _conjugate_back,
    aten.conj_physical.default: _conjugate_back,
}
