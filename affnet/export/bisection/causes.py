"""Why an operator is wrong, as far as its numbers show it, and what helps."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Manifest
from affnet.export.converters import get_converter

_LARGEST_HALF = float(np.finfo(np.float16).max)
_SMALLEST_HALF = float(np.finfo(np.float16).tiny)
_MANY = 0.01  # of the values


def reason_of(expected: NDArray[Any], given: NDArray[Any], stored: NDArray[Any]) -> str | None:
    """Return what the numbers show, a clause; None where they show nothing.

    ``stored`` is ``expected`` in the type that the file stores it in.
    """
    if given.shape != expected.shape:
        return f"its shape is {given.shape}, and {expected.shape} is right"
    if expected.dtype.kind != "f":
        return None
    finite = np.isfinite(expected)
    peak = float(np.abs(expected[finite]).max()) if finite.any() else 0.0
    if peak > _LARGEST_HALF and not np.isfinite(given[finite]).all():
        return f"it overflows float16: its values reach {peak:.3g}, and float16 ends at 65504"
    if np.isnan(given[finite]).any():
        return f"it gives NaN in {int(np.isnan(given[finite]).sum())} of {expected.size} places"
    if stored.dtype == np.float16 and 0 < peak < _SMALLEST_HALF:
        return f"it falls below float16: its values reach {peak:.1e}"
    if peak and not given.any():
        return "it gives zeros only"
    if _is_permuted(expected, given):
        return "it gives the right values in other places, as with another layout"
    if _is_clipped(expected, given):
        return f"it saturates: nothing is beyond {np.abs(given).max():.3g}, and {peak:.3g} is right"
    return None


def advice_of(manifest: Manifest, module: str | None) -> str | None:
    """Return what makes the file right on that device, a clause."""
    if manifest.precision == "fp32":
        return None
    kept = get_converter(manifest.format).keeps_float
    if module and manifest.precision in kept:
        return f"keep it in float32: affnet export --keep-float {shlex.quote(module)}"
    return "keep it in float32" + (f": {module}" if module else "")


def _is_permuted(expected: NDArray[Any], given: NDArray[Any]) -> bool:
    """Return whether the same values stand in other places."""
    if not np.isfinite(given).all() or expected.size < 2:
        return False
    ours, theirs = np.sort(expected, axis=None), np.sort(given, axis=None)
    peak = float(np.abs(ours).max())
    return bool(np.abs(ours - theirs).max() <= 1e-3 * peak)


def _is_clipped(expected: NDArray[Any], given: NDArray[Any]) -> bool:
    """Return whether values that are too large have become one bound, and others are right."""
    if not np.isfinite(given).all():
        return False
    bound = float(np.abs(given).max())
    beyond = np.abs(expected) > 1.01 * bound
    if not bound or not beyond.any() or beyond.all():
        return False
    clipped = np.abs(np.abs(given[beyond]) - bound) <= 0.01 * bound
    rest = np.abs(given[~beyond] - expected[~beyond]) <= 0.02 * bound
    return bool(clipped.mean() > 1 - _MANY and rest.mean() > 1 - _MANY)
