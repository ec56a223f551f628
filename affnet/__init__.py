"""Take vision networks with Fourier token mixers to phones and edge boxes.

Importing this package loads neither torch nor a converter: public names are resolved on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affnet.model.network import create_model as create_model

__version__ = "0.1.0"

_PUBLIC = {
    "create_model": "affnet.model.network",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
