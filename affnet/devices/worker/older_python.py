"""What the Python of a board lacks: in 3.9, that of Debian 11, ``zip`` does not compare lengths."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any


class StrictZip(zip):  # type: ignore[type-arg]
    """``zip`` with the argument ``strict`` of Python 3.10."""

    def __new__(cls, *iterables: Iterable[Any], strict: bool = False) -> Any:
        """Raise `ValueError` where they differ in length, before the first is taken."""
        if not strict:
            return super().__new__(cls, *iterables)
        lists = [list(values) for values in iterables]
        if len({len(values) for values in lists}) > 1:
            raise ValueError("zip() arguments differ in length")
        return super().__new__(cls, *lists)


def supply() -> None:
    """Put in what is lacking."""
    try:
        zip(strict=True)
    except TypeError:
        builtins.zip = StrictZip  # type: ignore[misc]
