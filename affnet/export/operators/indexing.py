"""Indexing by several tensors, written with one flat index; and defaults of axes, written out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from affnet.export.operators.nesting import within_itself


def index(x: Tensor, indices: Sequence[Tensor | None]) -> Any:
    """``x[indices]`` by whole numbers over several axes, or over one in more than one axis.

    The indexed axes come first and become one, from which one flat index takes rows.  As in NumPy,
    the axes of the index then stand where the indexed ones did if these are neighbours, else first.
    """
    axes = [axis for axis, given in enumerate(indices) if given is not None]
    given = [element for element in indices if element is not None]
    if any(element.dtype == torch.bool for element in given):
        return NotImplemented  # as many results as there are true values
    if len(axes) == 1 and given[0].ndim <= 1:
        return NotImplemented
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    sizes, kept = [x.shape[axis] for axis in axes], [x.shape[axis] for axis in rest]
    rows = x.permute(axes + rest).reshape(math.prod(sizes), *kept)
    flat = _flat(given, sizes)
    shape = flat.shape  # that to which the indices broadcast
    result = rows.index_select(0, flat.reshape(-1)).reshape(*shape, *kept)
    if axes[-1] - axes[0] != len(axes) - 1:
        return result
    front = axes[0]
    order = [*range(len(shape), len(shape) + front), *range(len(shape))]
    return result.permute(order + list(range(len(order), result.ndim)))


def flip(x: Tensor, dims: Sequence[int]) -> Any:
    """Return ``x`` reversed axis by axis, as LiteRT reverses neighbours only: ``aten.flip``."""
    axes = sorted(axis % x.ndim for axis in dims)
    if len(axes) < 2 or axes[-1] - axes[0] == len(axes) - 1:
        return NotImplemented
    for axis in axes:
        x = x.flip([axis])
    return x


@within_itself
def index_put(
    x: Tensor,
    indices: Sequence[Tensor | None],
    values: Tensor,
    accumulate: bool = False,
) -> Any:
    """``x[indices] = values`` beside whole axes, of which coremltools takes one place of an axis.

    As in `index`, the indexed axes become the first one, into which one flat index puts rows.
    """
    axes = [axis for axis, given in enumerate(indices) if given is not None]
    given = [element for element in indices if element is not None]
    if any(element.dtype == torch.bool for element in given) or axes == list(range(len(axes))):
        return NotImplemented
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    sizes, kept = [x.shape[axis] for axis in axes], [x.shape[axis] for axis in rest]
    rows = x.permute(axes + rest).reshape(math.prod(sizes), *kept)
    flat = _flat(given, sizes)
    front = axes[0] if axes[-1] - axes[0] == len(axes) - 1 else 0
    put = values.expand(*kept[:front], *flat.shape, *kept[front:])
    order = [*range(front, front + flat.ndim), *range(front), *range(front + flat.ndim, put.ndim)]
    put = put.permute(order).reshape(-1, *kept)
    result = rows.index_put([flat.reshape(-1)], put, accumulate).reshape(*sizes, *kept)
    return result.permute([(axes + rest).index(axis) for axis in range(x.ndim)])


def fill_by_mask(
    x: Tensor,
    indices: Sequence[Tensor | None],
    values: Tensor,
    accumulate: bool = False,
) -> Any:
    """``x[mask] = value`` of one value and a mask of the first axes, as `torch.where`."""
    mask = indices[0]
    is_mask = len(indices) == 1 and mask is not None and mask.dtype == torch.bool
    is_one = all(isinstance(n, int) and n == 1 for n in values.shape)  # not as many as are true
    if accumulate or not is_one or not is_mask:
        return NotImplemented
    assert mask is not None
    spread = mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim))
    return torch.where(spread, values.reshape(()).to(x.dtype), x)


def _flat(given: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """Return the places that indices of axes of ``sizes`` name, where these are one axis."""
    flat = sum(
        torch.where(element < 0, element + size, element) * math.prod(sizes[number + 1 :])
        for number, (element, size) in enumerate(zip(given, sizes, strict=True))
    )
    assert isinstance(flat, Tensor)
    return flat


@within_itself
def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:  # noqa: A002 - aten's
    """`torch.topk` with its axis counted from the front, and values gathered by their places.

    Where nothing asks for the places, litert-torch sorts, and LiteRT has no sort.
    """
    if x.ndim == 0:
        return NotImplemented
    dim %= x.ndim
    places = torch.topk(x, k, dim, largest, sorted)[1]
    return x.gather(dim, places), places


def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """``aten.diagonal``, of which coremltools has the main one of a matrix: steps over a row."""
    rows, columns = x.shape[dim1], x.shape[dim2]
    count = min(rows + min(offset, 0), columns - max(offset, 0))
    if not isinstance(count, int) or count <= 0:
        return NotImplemented
    first = offset if offset >= 0 else -offset * columns
    flat = x.movedim((dim1, dim2), (-2, -1)).flatten(-2)
    return flat[..., first : first + (count - 1) * (columns + 1) + 1 : columns + 1]
