"""Whether pyright knows the type of every public name: ``make types``.

Pyright counts every module whose name begins with no underscore; public here are the names of
``affnet.__all__``, with their members, and the classes of `affnet.errors`.  Reads what ``pyright
--verifytypes affnet --outputjson`` prints.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import affnet


def public() -> tuple[str, ...]:
    """Return the full names of what is public, as their modules define them."""
    named = [getattr(affnet, name) for name in affnet.__all__ if name[0] != "_"]
    return ("affnet.errors", *(f"{one.__module__}.{one.__qualname__}" for one in named[1:]))


def unknown(report: dict[str, Any]) -> list[str]:
    """Return the public names whose types pyright does not know, with its reasons."""
    roots = public()
    return [
        f"{one['name']}: {'; '.join(said['message'] for said in one['diagnostics'])}"
        for one in report["typeCompleteness"]["symbols"]
        if not one["isTypeKnown"]
        and any(one["name"] == root or one["name"].startswith(f"{root}.") for root in roots)
    ]


if __name__ == "__main__":
    found = unknown(json.load(sys.stdin))
    print("\n".join(found) or "The type of every public name is known.")
    sys.exit(bool(found))
