"""Repetition along axes: each element of the result is gathered from where it comes from.

A view, an expansion and a view would do, as `torch` itself does it; but a converter may take an
expansion for one that the next operator does by itself, over whichever axes its sizes fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def expand(x: Tensor, size: Sequence[int], *, implicit: bool = False) -> Any:  # noqa: ARG001 - aten's
    """`torch.Tensor.expand`, where it changes the size of an axis that ``x`` has."""
    new = len(size) - x.ndim
    counts = [
        1 if wanted == -1 else wanted // n for wanted, n in zip(size[new:], x.shape, strict=True)
    ]
    if all(count == 1 for count in counts):
        return NotImplemented
    return repeat(x, (*size[:new], *counts))


def expand_as(x: Tensor, other: Tensor) -> Any:
    """`torch.Tensor.expand_as`."""
    return expand(x, other.shape)


def repeat(x: Tensor, repeats: Sequence[int]) -> Tensor:
    """`torch.Tensor.repeat`: at least as many ``repeats`` as axes, the first ones for new axes."""
    x = x.reshape((1,) * (len(repeats) - x.ndim) + tuple(x.shape))
    for axis, count in enumerate(repeats):
        if count != 1:
            size = x.shape[axis]
            x = x.index_select(axis, torch.arange(count * size, device=x.device) % size)
    return x.clone()


def tile(x: Tensor, dims: Sequence[int]) -> Tensor:
    """`torch.tile`: as `repeat`, where fewer ``dims`` than axes are of the last ones."""
    return repeat(x, (1,) * (x.ndim - len(dims)) + tuple(dims))


def repeat_interleave(
    x: Tensor, repeats: int, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """`torch.repeat_interleave`, each element as often."""
    if dim is None:
        x, dim = x.reshape(-1), 0
    size = output_size or x.shape[dim] * repeats
    places = torch.arange(size, device=x.device)
    return x.index_select(dim, torch.div(places, repeats, rounding_mode="floor"))


def repeat_interleave_each(
    x: Tensor, repeats: Tensor, dim: int | None = None, *, output_size: int | None = None
) -> Any:
    """`torch.repeat_interleave` by a tensor: element ``i`` of the axis stands ``repeats[i]`` times.

    The place ``p`` of the result holds the element before which as many have ended as end at or
    before ``p``, which is how often ``p >= cumsum(repeats)``.
    """
    if output_size is None:  # a size known only when it runs
        return NotImplemented
    if dim is None:
        x, dim = x.reshape(-1), 0
    ends = repeats.cumsum(0)
    places = torch.arange(output_size, device=x.device)
    elements = (places.unsqueeze(1) >= ends.unsqueeze(0)).to(torch.int64).sum(1)
    return x.index_select(dim, elements)
