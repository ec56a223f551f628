"""The largest value of each window with its place, by gathering every window.

Each axis has a table of the positions in each of its windows.  A window that a border cuts off, or
that is shorter than others, names one of its positions again, which changes no maximum.  The tables
of all axes give the places of each window's elements in the flattened map, and then::

    windows = map[places];  value = max(windows);  place = min(places where windows == value)

The smallest place is torch's: it takes the first of equal values in the order of the map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def max_pool_with_indices(
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """`torch.nn.functional.max_pool2d` with ``return_indices``, and that over one or three axes."""
    axes = len(kernel_size)
    strides, paddings, dilations = (
        _for_each(axes, given) for given in (stride or kernel_size, padding, dilation)
    )
    windows = [
        _sliding(
            x.shape[axis - axes],
            kernel_size[axis],
            strides[axis],
            paddings[axis],
            dilations[axis],
            ceil_mode,
        )
        for axis in range(axes)
    ]
    return _maxima(x, windows)


def adaptive_max_pool(x: Tensor, output_size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """`torch.nn.functional.adaptive_max_pool2d`, and that over one or three axes."""
    sizes = x.shape[-len(output_size) :]
    return _maxima(x, [_dividing(*pair) for pair in zip(sizes, output_size, strict=True)])


def _for_each(axes: int, given: Sequence[int]) -> tuple[int, ...]:
    return tuple(given) * (axes if len(given) == 1 else 1)


def _sliding(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> Tensor:
    """Return the positions in each window of an axis of ``size``, without those in the margins."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-room // stride) if ceil_mode else room // stride) + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1  # torch starts no window in the margin behind
    starts = torch.arange(count) * stride - padding
    places = starts.unsqueeze(1) + torch.arange(kernel) * dilation
    if dilation == 1:
        return places.clamp(0, size - 1)
    # whole dilations back into the axis, to the window's first or last element there
    places = torch.where(places < 0, places % dilation, places)
    last = size - 1
    return torch.where(places > last, last - (last - places) % dilation, places)


def _dividing(size: int, count: int) -> Tensor:
    """Return the positions in each of ``count`` windows that cover an axis of ``size``."""
    numbers = torch.arange(count)
    starts, ends = numbers * size // count, ((numbers + 1) * size + count - 1) // count
    longest = max(-(-(n + 1) * size // count) - n * size // count for n in range(count))
    places = starts.unsqueeze(1) + torch.arange(longest)
    return torch.minimum(places, ends.unsqueeze(1) - 1)


def _maxima(x: Tensor, windows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the maxima of ``x`` over windows of its last axes, and their places in these."""
    axes = len(windows)
    kept, sizes = x.shape[:-axes], x.shape[-axes:]
    counts = [len(table) for table in windows]
    places = _places(windows, sizes)
    flat = x.reshape(*kept, math.prod(sizes))
    gathered = flat.index_select(-1, places.reshape(-1)).reshape(*kept, *places.shape)
    values = gathered.amax(-1)
    # in x's type: runtimes seldom compare whole numbers, and no map has 2^24 places
    numbers = places.to(torch.float32)
    beyond = numbers.new_full((), math.prod(sizes))
    chosen = torch.where(gathered == values.unsqueeze(-1), numbers, beyond).amin(-1)
    return values.reshape(*kept, *counts), chosen.reshape(*kept, *counts).to(torch.int64)


def _places(windows: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """Return the places in a flattened map, windows x elements in each, of windows along its axes.

    With the axes (windows, elements) of each table in turn, the tables are added up where each is
    multiplied by the number of places that one step on its axis is.
    """
    places = torch.arange(1)
    axes = len(windows)
    for axis, table in enumerate(windows):
        shape = [1] * (2 * axes)
        shape[axis], shape[axes + axis] = len(table), len(table[0])
        step = math.prod(sizes[axis + 1 :])
        places = places + step * table.reshape(shape)
    return places.reshape(math.prod(map(len, windows)), -1)
