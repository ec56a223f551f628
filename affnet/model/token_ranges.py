"""Which integers a network takes, as far as its graph and its example show it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx import Node

aten = torch.ops.aten

#: Operators whose results are the numbers that they were given.
_SAME = {
    aten._to_copy.default,
    aten.alias.default,
    aten.clone.default,
    aten.contiguous.default,
    aten.expand.default,
    aten.flatten.using_ints,
    aten.permute.default,
    aten.reshape.default,
    aten.select.int,
    aten.slice.Tensor,
    aten.squeeze.dim,
    aten.to.dtype,
    aten.transpose.int,
    aten.unsqueeze.default,
    aten.view.default,
}


def integer_range(node: Node, example: Tensor | None) -> tuple[float, float]:
    """Return the smallest and the largest integer that the input ``node`` is given.

    Places in a table are all of its places; other integers are between those of the example,
    and 0 or 1 where there is none.
    """
    places = [_table_size(user, each) for each in _copies(node) for user in each.users]
    sizes = [size for size in places if size]
    shown = None
    if example is not None and example.numel():
        shown = float(example.min()), float(example.max())
    if sizes and (shown is None or 0 <= shown[0] <= shown[1] < min(sizes)):
        return 0.0, float(min(sizes) - 1)
    return shown or (0.0, 1.0)


def _copies(node: Node) -> list[Node]:
    """Return ``node`` and the nodes that hold the same numbers, or some of them."""
    found = [node]
    for each in found:
        found += [user for user in each.users if user.target in _SAME and user not in found]
    return found


def _table_size(user: Node, index: Node) -> int | None:
    """Return the length of the table that ``user`` reads at ``index``, None where it does not."""
    if user.target is aten.embedding.default and user.args[1] is index:
        table = user.args[0]
        assert isinstance(table, Node)
        return int(table.meta["val"].shape[0])
    if user.target is aten.one_hot.default and user.args[0] is index and len(user.args) > 1:
        count = user.args[1]
        return count if isinstance(count, int) and count > 0 else None
    return None
