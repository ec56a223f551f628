"""What torch notes of a node's origin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.fx import traceback


@contextmanager
def shared_provenance() -> Iterator[None]:
    """Let a node share the history of the node that it was made from, instead of copying it.

    torch copies the whole history, one entry longer with each pass over the graph, for each node
    and pass: a tenth of a conversion.  Nothing changes an entry once it is written.
    """
    source = traceback.NodeSource
    if hasattr(source, "__deepcopy__"):
        yield
        return
    source.__deepcopy__ = lambda self, _: self  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del source.__deepcopy__  # type: ignore[attr-defined]
