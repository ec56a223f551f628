"""Repetition along axes, axis by axis, with a view, an expansion and a view.

For an axis of n elements that is repeated r times::

    .. x n x ..  --view-->  .. x 1 x n x ..  --expand-->  .. x r x n x ..  --view-->  .. x rn x ..

and for elements that are repeated one by one the new axis stands behind the old one.  No value has
more than one axis more than the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def repeat(x: Tensor, repeats: Sequence[int]) -> Tensor:
    """`torch.Tensor.repeat`: at least as many ``repeats`` as axes, the first ones for new axes."""
    x = x.reshape((1,) * (len(repeats) - x.ndim) + tuple(x.shape))
    for axis, count in enumerate(repeats):
        if count != 1:
            x = _along(x, axis, count)
    return x.clone()


def tile(x: Tensor, dims: Sequence[int]) -> Tensor:
    """`torch.tile`: as `repeat`, where fewer ``dims`` than axes are of the last ones."""
    return repeat(x, (1,) * (x.ndim - len(dims)) + tuple(dims))


def repeat_interleave(
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


def _along(x: Tensor, axis: int, count: int) -> Tensor:
    before, size, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    x = x.reshape(*before, 1, size, *after).expand(*before, count, size, *after)
    return x.reshape(*before, count * size, *after)
