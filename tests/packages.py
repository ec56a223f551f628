"""Asking for packages without importing them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def need_openvino() -> None:
    """Skip where OpenVINO is missing; its import would fork a process, which JAX warns of."""
    if find_spec("openvino") is None:
        pytest.skip("needs openvino (pip install 'affnet[openvino]')")
