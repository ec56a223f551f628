"""Rules that use the operator that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any


def within_itself(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``rule`` call its own operator: the call within it stays as it is.

    torch looks the operators that a rule calls up in the same table, without end if nothing stops
    it.
    """
    running = ContextVar("running", default=False)

    @wraps(rule)
    def once(*args: Any, **kwargs: Any) -> Any:
        if running.get():
            return NotImplemented
        token = running.set(True)
        try:
            return rule(*args, **kwargs)
        finally:
            running.reset(token)

    return once
