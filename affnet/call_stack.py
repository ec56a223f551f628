"""Room for the frames of Python calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

#: Values on the stack of `roomy`'s frame, of eight bytes each: just over half a megabyte, for which
#: a megabyte is mapped.  What the frame does not use is never touched.
_SLOTS = 70_000


def roomy(function: Callable[P, R]) -> Callable[P, R]:
    """Return ``function`` with room for a thousand frames in one piece of memory.

    CPython keeps frames in chunks of 16 KB and unmaps a chunk as soon as no frame is in it.  A loop
    that happens to stand at the end of one maps memory anew with each call, which takes four times
    as long as the calls; converters, whose passes call deep and for seconds, run into it again and
    again.  A frame that fills most of a chunk gets a larger one, and its callees the rest of it.
    """

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    call.__code__ = call.__code__.replace(co_stacksize=_SLOTS)
    return call
