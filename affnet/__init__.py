"""Take vision networks with Fourier token mixers to phones and edge boxes.

What stands in ``__all__`` is public and kept, as docs/versions.md says; all else is private by its
path.  Importing this package loads neither torch nor a converter: names are resolved on first use.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affnet import errors as errors
    from affnet.api import check_budgets as check_budgets
    from affnet.api import measure_artifacts as measure_artifacts
    from affnet.api import open_artifact as open_artifact
    from affnet.api import verify_artifact as verify_artifact
    from affnet.artifact import Artifact as Artifact
    from affnet.artifact import Manifest as Manifest
    from affnet.artifact import TensorSpec as TensorSpec
    from affnet.bench.budgets.check import CheckReport as CheckReport
    from affnet.bench.budgets.verdicts import Verdict as Verdict
    from affnet.bench.results.result import Result as Result
    from affnet.export.options import ExportOptions as ExportOptions
    from affnet.export.pipeline import export_artifact as export_artifact
    from affnet.model.checkpoint import load_checkpoint as load_checkpoint
    from affnet.model.create import create_model as create_model
    from affnet.model.source import Source as Source
    from affnet.model.source import load_source as load_source
    from affnet.parity import Parity as Parity
    from affnet.preprocessing import Preprocessing as Preprocessing

__version__ = "0.1.0"

# ONNX Runtime from 1.29 on reports each process and session to its makers, from a thread of its
# own, and keeps a number for the machine (its Privacy.md).  Exports import it through other
# packages too, so it is told here; a value that stands wins, and child processes inherit it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PUBLIC = {
    "load_source": "affnet.model.source",
    "load_checkpoint": "affnet.model.checkpoint",
    "create_model": "affnet.model.create",
    "export_artifact": "affnet.export.pipeline",
    "open_artifact": "affnet.api",
    "verify_artifact": "affnet.api",
    "measure_artifacts": "affnet.api",
    "check_budgets": "affnet.api",
    "Source": "affnet.model.source",
    "ExportOptions": "affnet.export.options",
    "Artifact": "affnet.artifact",
    "Manifest": "affnet.artifact",
    "TensorSpec": "affnet.artifact",
    "Preprocessing": "affnet.preprocessing",
    "Parity": "affnet.parity",
    "Result": "affnet.bench.results.result",
    "CheckReport": "affnet.bench.budgets.check",
    "Verdict": "affnet.bench.budgets.verdicts",
}

__all__ = ["__version__", "errors", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("affnet.errors")
    if name in _PUBLIC:
        if sys.version_info < (3, 11):  # noqa: UP036  # pip refuses it, a folder on the path does not
            raise ImportError(_old_python())
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _old_python() -> str:
    """Return what a Python is told that is too old; boards run parts of the package with it."""
    return (
        f"affnet needs Python 3.11 or later, and this is {sys.version.split()[0]} "
        f"({sys.executable}); run: python3.11 -m venv .venv"
    )


def __dir__() -> list[str]:
    return sorted(__all__)
