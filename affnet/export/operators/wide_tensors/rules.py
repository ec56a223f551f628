"""Operators over tensors of many axes, by tensors of few: what no operator tells apart is one axis.

A rule here reshapes what it takes, computes, and reshapes the result.  Between two of them a tensor
of many axes is only a name for a shape, which `program` takes out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._pytree import tree_leaves, tree_map

from affnet.export.operators.rule import Rule
from affnet.export.operators.wide_tensors.groups import grouped, neighbors
from affnet.export.operators.wide_tensors.layouts import LAYOUTS

aten = torch.ops.aten

_ONE_AXIS: tuple[Any, ...] = (  # what treats every place of the other axes alike
    *(aten.cat.default, aten.select.int, aten.slice.Tensor, aten.index_select.default),
    *(aten.split.Tensor, aten.split_with_sizes.default, aten.unbind.int, aten.gather.default),
    *(aten.softmax.int, aten._softmax.default, aten.log_softmax.int, aten._log_softmax.default),
    *(aten.cumsum.default, aten.cumprod.default, aten.prod.dim_int, aten.glu.default),
    *(aten.topk.default, aten.sort.default, aten.max.dim, aten.min.dim),
    *(aten.argmax.default, aten.argmin.default, aten.slice_scatter.default),
    *(aten.select_scatter.default, aten.index_add.default, aten.index_copy.default),
    *(aten.scatter.src, aten.scatter.value, aten.scatter_add.default),
)
#: Reductions over axes, which are those over one after another.
_IN_STEPS: tuple[Any, ...] = (
    *(aten.sum.dim_IntList, aten.mean.dim, aten.logsumexp.default),
    *(aten.amax.default, aten.amin.default),
)
_REDUCTIONS: tuple[Any, ...] = (
    *(*_IN_STEPS, aten.var.correction, aten.std.correction, aten.linalg_vector_norm.default),
    *(aten.any.dim, aten.any.dims, aten.all.dim, aten.all.dims),
)


def _pointwise(target: OpOverload, most: int) -> Rule:
    """Return the rule of an operator on corresponding elements; tensors broadcast."""

    def rule(*args: Any, **kwargs: Any) -> Any:
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        shape = torch.broadcast_shapes(*(x.shape for x in tensors))  # type: ignore[no-untyped-call]
        if len(shape) <= most:
            return NotImplemented
        padded = [(1,) * (len(shape) - x.dim()) + tuple(x.shape) for x in tensors]
        groups = neighbors(
            [tuple(n != 1 for n in axis) for axis in zip(*padded, strict=True)], shape
        )
        if len(groups) > most:
            return NotImplemented

        def few(x: Any) -> Any:
            if not isinstance(x, Tensor) or x.dim() == 0:  # which decides no type
                return x
            sizes = (1,) * (len(shape) - x.dim()) + tuple(x.shape)
            return x.reshape(grouped(sizes, groups))

        kwargs.pop("memory_format", None)  # it counts axes
        return target(*tree_map(few, args), **tree_map(few, kwargs)).reshape(shape)

    return rule


def _by_name(target: OpOverload, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return every argument of a call, what is not given as it is by default."""
    taken = target._schema.arguments
    given = dict(zip((argument.name for argument in taken), args, strict=False)) | kwargs
    return {one.name: given.get(one.name, one.default_value) for one in taken}


def _call(target: OpOverload, given: dict[str, Any]) -> Any:
    taken = target._schema.arguments
    named = {one.name: given[one.name] for one in taken if one.kwarg_only}
    return target(*(given[one.name] for one in taken if not one.kwarg_only), **named)


def _of_one_axis(target: OpOverload, most: int) -> Rule:
    """Return the rule of an operator along one axis: those before it are one, those after too."""

    def rule(*args: Any, **kwargs: Any) -> Any:
        given = _by_name(target, args, kwargs)
        first = next(iter(given.values()))
        first = first if isinstance(first, Tensor) else first[0]
        rank, axis = first.dim(), given["dim"]
        if rank <= most or axis is None:
            return NotImplemented
        axis %= rank
        before, after = first.shape[:axis], first.shape[axis + 1 :]
        whole = [x for x in tree_leaves(given) if isinstance(x, Tensor) and x.dim() == rank]
        if any((x.shape[:axis], x.shape[axis + 1 :]) != (before, after) for x in whole):
            return NotImplemented  # as `gather` from a part of the other axes

        def few(x: Any) -> Any:
            if not isinstance(x, Tensor) or x.dim() < rank - 1 or x.dim() <= 1:
                return x
            middle = [x.shape[axis]] if x.dim() == rank else []
            return x.reshape(math.prod(before), *middle, math.prod(after))

        def many(y: Any) -> Any:
            return y.reshape(*before, *y.shape[1:-1], *after)

        return tree_map(many, _call(target, tree_map(few, given) | {"dim": 1}))

    return rule


def _over_axes(target: OpOverload, most: int) -> Rule:
    """Return the rule of a sum or its like: over groups of axes, or over one after another."""

    def rule(*args: Any, **kwargs: Any) -> Any:
        given = _by_name(target, args, kwargs)
        x, dim, keepdim = given["self"], given["dim"], given["keepdim"]
        if x.dim() <= most or (isinstance(dim, int) and x.shape[dim] == 1):
            return NotImplemented
        chosen = [dim] if isinstance(dim, int) else dim or range(x.dim())
        reduced = {axis % x.dim() for axis in chosen}
        groups = neighbors([axis in reduced for axis in range(x.dim())], x.shape)
        sizes = grouped(x.shape, groups)
        over = [number for number, group in enumerate(groups) if group[0] in reduced]

        def applied(y: Tensor, axes: list[int]) -> Tensor:
            dims = axes[0] if isinstance(dim, int) else axes
            result: Tensor = _call(target, given | {"self": y, "dim": dims, "keepdim": False})
            return result

        if over and len(groups) <= most:
            y = applied(x.reshape(sizes), over)
        elif target in _IN_STEPS:
            y = x if over else applied(x.reshape(1, -1), [0])
            for number in reversed(over):
                before, after = math.prod(sizes[:number]), math.prod(sizes[number + 1 :])
                y = applied(y.reshape(before, sizes.pop(number), after), [1])
        else:
            return NotImplemented
        kept = [1 if axis in reduced else n for axis, n in enumerate(x.shape)]
        left = [n for axis, n in enumerate(x.shape) if axis not in reduced]
        return y.reshape(kept if keepdim else left)

    return rule


def _pad(target: Any, most: int) -> Rule:
    def rule(x: Tensor, pad: Sequence[int], *options: Any, **named: Any) -> Any:
        around = [(pad[2 * k], pad[2 * k + 1]) for k in range(len(pad) // 2)][::-1]
        around = [(0, 0)] * (x.dim() - len(around)) + around
        padded = [pair != (0, 0) for pair in around]
        keys = [axis if cut else "whole" for axis, cut in enumerate(padded)]
        groups = neighbors(keys, [2 if cut else n for cut, n in zip(padded, x.shape, strict=True)])
        if x.dim() <= most or len(groups) > most:
            return NotImplemented
        few = [each for group in reversed(groups) for each in around[group[0]]]
        while few[-2:] == [0, 0]:
            few = few[:-2]
        y = target(x.reshape(grouped(x.shape, groups)), few, *options, **named)
        shape = [n + sum(pair) for n, pair in zip(x.shape, around, strict=True)]
        return y.reshape(shape)

    return rule


def rule_of(target: Any, most: int) -> Rule | None:
    """Return the rule that computes ``target`` by tensors of ``most`` axes, None if there is none.

    It returns NotImplemented where no tensor has more, or where more cannot be avoided.
    """
    if not isinstance(target, OpOverload):
        return None
    if target in LAYOUTS:
        return LAYOUTS[target](most)
    if target in _ONE_AXIS:
        return _of_one_axis(target, most)
    if target in _REDUCTIONS:
        return _over_axes(target, most)
    if target in (aten.constant_pad_nd.default, aten.pad.default):
        return _pad(target, most)
    tags = target.tags
    if torch.Tag.pointwise in tags or target in (aten._to_copy.default, aten.copy.default):
        return _pointwise(target, most)
    return None
