"""How often Python looks for objects that only refer to each other."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: New objects between two searches, where Python's default is 700.  Their memory is some megabytes.
_RARELY = 50_000


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Have Python search for garbage a seventieth as often as by default.

    Converters make millions of objects, nearly all of which live on: by default, the searches take
    a tenth of an export, and find next to nothing.
    """
    before = gc.get_threshold()
    if gc.isenabled() and before[0]:
        gc.set_threshold(max(before[0], _RARELY), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
