"""Parts of a converter's packages, replaced while it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute, inherited or not, for a while."""
    own = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


def without_stack_traces() -> Any:
    """Have torch note no lines of code as it traces; a program keeps those that it has.

    A program of the user's own brings its lines along.  Those of the networks here and of torch
    concern nobody, and take a fifth of a trace.
    """
    config = getattr(torch.fx, "config", None)
    if not hasattr(config, "do_not_emit_stack_traces"):
        return nullcontext()
    return replaced(config, "do_not_emit_stack_traces", True)
