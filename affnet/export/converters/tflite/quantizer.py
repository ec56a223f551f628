"""LiteRT's quantizer, by its name since 0.11 or, where only that is installed, by its old one."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

#: The distribution; its package has underscores.
QUANTIZER = "litert-quantizer" if find_spec("litert_quantizer") else "ai-edge-quantizer"


def quantizer_module(name: str) -> Any:
    """Import a module of the quantizer."""
    return import_module(f"{QUANTIZER.replace('-', '_')}.{name}")
