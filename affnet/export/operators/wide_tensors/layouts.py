"""Operators that move, repeat, pick or make elements, by tensors of few axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from affnet.export.operators import indexing
from affnet.export.operators.rule import Rule
from affnet.export.operators.wide_tensors.groups import Groups, grouped, neighbors

aten = torch.ops.aten


def _permute(most: int) -> Rule:
    def rule(x: Tensor, dims: Sequence[int]) -> Any:
        if x.dim() <= most:
            return NotImplemented
        shape = [x.shape[axis] for axis in dims]
        order = [axis % x.dim() for axis in dims if x.shape[axis] != 1]
        groups: Groups = []
        for axis in order:  # those that stay neighbors are one
            apart = [n for n in x.shape[groups[-1][-1] + 1 : axis] if n != 1] if groups else [2]
            if groups and axis > groups[-1][-1] and not apart:
                groups[-1].append(axis)
            else:
                groups.append([axis])
        rest = sorted(groups)
        if len(groups) <= most:
            moved = x.reshape(grouped(x.shape, rest)).permute([rest.index(g) for g in groups])
            return moved.reshape(shape)
        for place, group in enumerate(groups):  # each to its place, before those that are not yet
            between = rest.index(group)
            blocks = [rest[:place], rest[place:between], [group], rest[between + 1 :]]
            sizes = [math.prod(grouped(x.shape, block)) for block in blocks]
            rest = [*blocks[0], group, *blocks[1], *blocks[3]]
            if between != place:
                moved = (x if place == 0 else moved).reshape(sizes).transpose(1, 2).contiguous()
            elif place == 0:
                moved = x
        return moved.reshape(shape)

    return rule


def _transpose(most: int) -> Rule:
    def rule(x: Tensor, dim0: int, dim1: int) -> Any:
        order = list(range(x.dim()))
        order[dim0], order[dim1] = order[dim1], order[dim0]
        return x.permute(order) if x.dim() > most else NotImplemented

    return rule


def _movedim(most: int) -> Rule:
    def rule(x: Tensor, source: Any, destination: Any) -> Any:
        if x.dim() <= most:
            return NotImplemented
        pairs = zip(
            *(v if isinstance(v, Sequence) else [v] for v in (destination, source)), strict=True
        )
        moved = {to % x.dim(): axis % x.dim() for to, axis in pairs}
        rest = iter(axis for axis in range(x.dim()) if axis not in moved.values())
        return x.permute([moved[n] if n in moved else next(rest) for n in range(x.dim())])

    return rule


def _flip(most: int) -> Rule:
    def rule(x: Tensor, dims: Sequence[int]) -> Any:
        flipped = {axis % x.dim() for axis in dims}
        groups = neighbors([axis in flipped for axis in range(x.dim())], x.shape)
        if x.dim() <= most or len(groups) > most:
            return NotImplemented
        over = [number for number, group in enumerate(groups) if group[0] in flipped]
        return x.reshape(grouped(x.shape, groups)).flip(over).reshape(x.shape)

    return rule


def _expand(most: int) -> Rule:
    def rule(x: Tensor, size: Sequence[int], *, implicit: bool = False) -> Any:  # noqa: ARG001
        if len(size) <= most:
            return NotImplemented
        have = (1,) * (len(size) - x.dim()) + tuple(x.shape)
        shape = [old if new == -1 else new for new, old in zip(size, have, strict=True)]
        groups = neighbors([n != 1 for n in have], shape)
        if len(groups) > most:
            return NotImplemented
        return x.reshape(grouped(have, groups)).expand(grouped(shape, groups)).reshape(shape)

    return rule


def _repeat(most: int) -> Rule:
    def rule(x: Tensor, repeats: Sequence[int]) -> Any:
        if len(repeats) <= most:
            return NotImplemented
        shape = [1] * (len(repeats) - x.dim()) + list(x.shape)
        for axis, count in enumerate(repeats):
            if count != 1:
                before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
                x = x.reshape(before, shape[axis], after).repeat(1, count, 1)
                shape[axis] *= count
        return x.reshape(shape)

    return rule


def _roll(most: int) -> Rule:
    def rule(x: Tensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Any:
        if x.dim() <= most or not dims:
            return NotImplemented
        shape = x.shape
        for shift, dim in zip(shifts, dims, strict=True):
            axis = dim % len(shape)
            before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
            x = x.reshape(before, shape[axis], after).roll(shift, 1)
        return x.reshape(shape)

    return rule


def _linear(most: int) -> Rule:
    def rule(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
        if x.dim() <= most:
            return NotImplemented
        y = torch.nn.functional.linear(x.flatten(0, -2), weight, bias)
        return y.reshape(*x.shape[:-1], *y.shape[1:])

    return rule


def _layer_norm(most: int) -> Rule:
    def rule(x: Tensor, normalized_shape: Sequence[int], *rest: Any, **options: Any) -> Any:
        if x.dim() <= most:
            return NotImplemented
        flat = x.reshape(-1, *normalized_shape)
        return aten.layer_norm.default(flat, normalized_shape, *rest, **options).reshape(x.shape)

    return rule


def _equal(value: float) -> Callable[[int], Rule]:
    def with_most(most: int) -> Rule:
        def rule(size: Sequence[int], **options: Any) -> Any:
            return torch.full(size, value, **options) if len(size) > most else NotImplemented

        return rule

    return with_most


def _full_like(most: int) -> Rule:
    def rule(x: Tensor, fill_value: Any, **options: Any) -> Any:
        dtype = options.get("dtype") or x.dtype
        if x.dim() <= most:
            return NotImplemented
        return torch.full(x.shape, fill_value, dtype=dtype, device=x.device)

    return rule


def _full(most: int) -> Rule:
    def rule(size: Sequence[int], fill_value: Any, **options: Any) -> Any:
        if len(size) <= most:
            return NotImplemented
        options.pop("memory_format", None)
        return torch.full([math.prod(size)], fill_value, **options).reshape(size)

    return rule


def _stack(most: int) -> Rule:
    def rule(tensors: Sequence[Tensor], dim: int = 0) -> Any:
        if tensors[0].dim() < most:
            return NotImplemented
        axis = dim % (tensors[0].dim() + 1)
        return torch.cat([x.unsqueeze(axis) for x in tensors], axis)

    return rule


def _unsqueeze(most: int) -> Rule:
    def rule(x: Tensor, dim: int) -> Any:
        axis = dim % (x.dim() + 1)
        wide = x.dim() >= most
        return x.reshape(*x.shape[:axis], 1, *x.shape[axis:]) if wide else NotImplemented

    return rule


def _squeeze(most: int) -> Rule:
    def rule(x: Tensor, dim: int | Sequence[int] | None = None) -> Any:
        if x.dim() <= most:
            return NotImplemented
        axes = range(x.dim()) if dim is None else dim if isinstance(dim, Sequence) else [dim]
        dropped = {axis % x.dim() for axis in axes}
        return x.reshape([n for a, n in enumerate(x.shape) if n != 1 or a not in dropped])

    return rule


def _index(most: int) -> Rule:
    def rule(x: Tensor, indices: Sequence[Tensor | None]) -> Any:
        given = [each for each in indices if each is not None]
        new = max(each.dim() for each in given) - len(given)
        if x.dim() + max(new, 0) <= most:
            return NotImplemented
        if len(given) > 1 or given[0].dim() != 1 or given[0].dtype == torch.bool:
            return indexing.index(x, indices)
        axis = next(axis for axis, each in enumerate(indices) if each is not None)
        return x.index_select(axis, torch.where(given[0] < 0, given[0] + x.shape[axis], given[0]))

    return rule


#: By operator, what makes the rule for tensors of so many axes at most.
LAYOUTS: dict[Any, Callable[[int], Rule]] = {
    aten.expand.default: _expand,
    aten.flip.default: _flip,
    aten.full.default: _full,
    aten.full_like.default: _full_like,
    aten.index.Tensor: _index,
    aten.layer_norm.default: _layer_norm,
    aten.linear.default: _linear,
    aten.movedim.int: _movedim,
    aten.movedim.intlist: _movedim,
    aten.permute.default: _permute,
    aten.repeat.default: _repeat,
    aten.roll.default: _roll,
    aten.squeeze.default: _squeeze,
    aten.squeeze.dim: _squeeze,
    aten.squeeze.dims: _squeeze,
    aten.stack.default: _stack,
    aten.transpose.int: _transpose,
    aten.unsqueeze.default: _unsqueeze,
    aten.zeros.default: _equal(0.0),
    aten.ones.default: _equal(1.0),
}
