"""How far an artifact's outputs are from PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tolerance:
    """What still counts as agreement."""

    max_rel_error: float  # largest absolute difference over largest absolute reference value
    min_psnr_db: float = 0.0  # where rounding makes the difference, not the worst value decides


_FEW_BITS = Tolerance(0.5, min_psnr_db=20.0)
#: By precision.  Those of few bits tell a file that computes the network, coarsely, from one that
#: does not; what they cost is judged by accuracy, see `affnet.export.precision`.
TOLERANCES = {
    "fp32": Tolerance(1e-4),
    "fp16": Tolerance(5e-2, min_psnr_db=40.0),
    "int8": _FEW_BITS,
    "int8-weights": _FEW_BITS,
    "palette4": _FEW_BITS,
}

#: Reported for outputs that agree to the last bit, whose PSNR is infinite.
IDENTICAL_PSNR_DB = 200.0


@dataclass(frozen=True)
class Parity:
    """Agreement over all inputs that were compared; of several outputs, the worst of each."""

    max_abs_error: float
    max_rel_error: float  # largest absolute difference over largest absolute reference value
    psnr_db: float  # peak: the largest absolute reference value
    top1_agreement: float  # share of rows, or of places in them, with the same top class, 0..1
    inputs: int  # images compared
    tolerance: float  # of max_rel_error
    passed: bool


_SEED = 0
_ROUNDING = 1e-6  # of sums in float32, beside the largest value


def reference_image(shape: Sequence[int], dtype: str, bounds: tuple[float, float]) -> NDArray[Any]:
    """Return the image that every device is measured with and proven on: uniform, always the same.

    numpy promises the stream of a seeded `Generator` across platforms.
    """
    low, high = bounds
    values = np.random.default_rng(_SEED).random(tuple(shape), dtype=np.float32)
    return (low + (high - low) * values).astype(dtype)


def depends_on_input(outputs: Sequence[NDArray[Any]]) -> bool:
    """Tell whether any output, whose first axis counts the inputs, differs between two of them.

    Where none does by more than rounding, a file that computes nothing agrees with the network
    too, so that comparing them proves nothing.
    """
    with np.errstate(invalid="ignore"):  # what is not finite is left to `compare`
        spreads = [(np.ptp(output, axis=0).max(), np.abs(output).max()) for output in outputs]
    return not all(spread <= _ROUNDING * peak for spread, peak in spreads)


def compare(
    expected: Sequence[NDArray[Any]],
    actual: Sequence[NDArray[Any]],
    tolerance: Tolerance,
    class_axes: Sequence[int | None] = (),
) -> Parity:
    """Compare outputs, one array each, whose first axis counts the inputs.

    ``class_axes`` says of each output where one score of each class stands.  Top-1 agreement is
    that of the outputs which have classes; without any, each row is taken as scores.  A shape that
    differs, or a value that is not finite, fails whatever the tolerance.
    """
    if len(expected) != len(actual) or not expected:
        raise ValueError(f"{len(actual)} outputs cannot be compared with {len(expected)}")
    axes = class_axes or [None] * len(expected)
    has_classes = any(axis is not None for axis in axes)
    parities = [_compare_output(e, a, tolerance) for e, a in zip(expected, actual, strict=True)]
    agreements = [
        _top1_agreement(e, a, axis) if p.max_abs_error < math.inf else 0.0
        for e, a, axis, p in zip(expected, actual, axes, parities, strict=True)
        if axis is not None or not has_classes
    ]
    return Parity(
        max_abs_error=max(parity.max_abs_error for parity in parities),
        max_rel_error=max(parity.max_rel_error for parity in parities),
        psnr_db=min(parity.psnr_db for parity in parities),
        top1_agreement=min(agreements),
        inputs=len(expected[0]),
        tolerance=tolerance.max_rel_error,
        passed=all(parity.passed for parity in parities),
    )


def _compare_output(expected: NDArray[Any], actual: NDArray[Any], tolerance: Tolerance) -> Parity:
    """Compare one output, but for its classes."""
    if actual.shape != expected.shape:
        inputs = len(expected)
        return Parity(math.inf, math.inf, 0.0, 0.0, inputs, tolerance.max_rel_error, False)
    reference, measured = expected.astype(np.float64), actual.astype(np.float64)
    peak = float(np.abs(reference).max())
    finite = bool(np.isfinite(measured).all() and np.isfinite(reference).all())
    max_abs = float(np.abs(measured - reference).max()) if finite else math.inf
    relative = finite and peak > 0
    max_rel = max_abs / peak if relative else (0.0 if max_abs == 0 else math.inf)
    psnr_db = _psnr_db(reference, measured, peak) if finite else 0.0
    return Parity(
        max_abs_error=max_abs,
        max_rel_error=max_rel,
        psnr_db=psnr_db,
        top1_agreement=0.0,
        inputs=len(reference),
        tolerance=tolerance.max_rel_error,
        passed=finite and max_rel <= tolerance.max_rel_error and psnr_db >= tolerance.min_psnr_db,
    )


def _top1_agreement(expected: NDArray[Any], actual: NDArray[Any], axis: int | None) -> float:
    """Return the share of places at which the same class has the largest score."""
    if axis is None:
        expected, actual = (x.reshape(len(x), -1) for x in (expected, actual))
        axis = 1
    return float((expected.argmax(axis) == actual.argmax(axis)).mean())


def _psnr_db(reference: NDArray[Any], measured: NDArray[Any], peak: float) -> float:
    mean_square_error = float(np.mean((reference - measured) ** 2))
    if mean_square_error == 0:
        return IDENTICAL_PSNR_DB
    if peak == 0:
        return 0.0
    return min(IDENTICAL_PSNR_DB, 10 * math.log10(peak**2 / mean_square_error))
