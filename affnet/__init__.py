"""Take vision networks with Fourier token mixers to phones and edge boxes.

Importing this package loads neither torch nor a converter: public names are resolved on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affnet.artifact import Artifact as Artifact
    from affnet.export.options import ExportOptions as ExportOptions
    from affnet.export.pipeline import export_artifact as export_artifact
    from affnet.model.checkpoint import load_checkpoint as load_checkpoint
    from affnet.model.create import create_model as create_model
    from affnet.model.source import load_source as load_source

__version__ = "0.1.0"

_PUBLIC = {
    "Artifact": "affnet.artifact",
    "ExportOptions": "affnet.export.options",
    "create_model": "affnet.model.create",
    "export_artifact": "affnet.export.pipeline",
    "load_checkpoint": "affnet.model.checkpoint",
    "load_source": "affnet.model.source",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
