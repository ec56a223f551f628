"""Who may work on a host at the same time, so that no measurement is disturbed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Of work that others of its kind do not disturb: it computes, or it measures on what is attached.
COMPUTING, ATTACHED = "computing", "attached"
#: Of what measures this host itself.
ALONE = "alone"
_POLL_S = 0.5


class Quiet:
    """Lets work of one kind at a time onto a host, in the order in which kinds asked for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kind = ""
        self._inside = 0
        self._waiting: deque[object] = deque()

    @contextmanager
    def hold(self, kind: str, wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Wait until nobody of another kind is at work, nor has waited longer.

        ``wait`` is called while that lasts; what it raises ends the waiting.
        """
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while not (self._waiting[0] is ticket and self._free_for(kind)):
                    wait()
                    self._changed.wait(_POLL_S)
                self._kind, self._inside = kind, self._inside + 1
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def _free_for(self, kind: str) -> bool:
        return not self._inside or (kind == self._kind and kind != ALONE)
