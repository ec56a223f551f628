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


TOLERANCES = {"fp32": Tolerance(1e-4), "fp16": Tolerance(5e-2, min_psnr_db=40.0)}

#: Reported for outputs that agree to the last bit, whose PSNR is infinite.
IDENTICAL_PSNR_DB = 200.0


@dataclass(frozen=True)
class Parity:
    """Agreement over all outputs of all inputs that were compared."""

    max_abs_error: float
    max_rel_error: float  # largest absolute difference over largest absolute reference value
    psnr_db: float  # peak: the largest absolute reference value
    top1_agreement: float  # share of rows with the same largest entry, 0..1
    inputs: int  # images compared
    tolerance: float  # of max_rel_error
    passed: bool


_SEED = 0


def reference_image(shape: Sequence[int], dtype: str, bounds: tuple[float, float]) -> NDArray[Any]:
    """Return the image that every device is measured with and proven on: uniform, always the same.

    numpy promises the stream of a seeded `Generator` across platforms.
    """
    low, high = bounds
    values = np.random.default_rng(_SEED).random(tuple(shape), dtype=np.float32)
    return (low + (high - low) * values).astype(dtype)


def compare(
    expected: Sequence[NDArray[Any]], actual: Sequence[NDArray[Any]], tolerance: Tolerance
) -> Parity:
    """Compare outputs, each N x classes, one array per input batch.

    A shape that differs, or a value that is not finite, fails whatever the tolerance.
    """
    if len(expected) != len(actual) or not expected:
        raise ValueError(f"{len(actual)} outputs cannot be compared with {len(expected)}")
    if any(a.shape != e.shape for e, a in zip(expected, actual, strict=True)):
        return Parity(
            math.inf, math.inf, 0.0, 0.0, sum(map(len, expected)), tolerance.max_rel_error, False
        )
    reference = np.concatenate([e.reshape(len(e), -1) for e in expected]).astype(np.float64)
    measured = np.concatenate([a.reshape(len(a), -1) for a in actual]).astype(np.float64)
    peak = float(np.abs(reference).max())
    finite = bool(np.isfinite(measured).all() and np.isfinite(reference).all())
    max_abs = float(np.abs(measured - reference).max()) if finite else math.inf
    relative = finite and peak > 0
    max_rel = max_abs / peak if relative else (0.0 if max_abs == 0 else math.inf)
    psnr_db = _psnr_db(reference, measured, peak) if finite else 0.0
    agreement = float((reference.argmax(axis=1) == measured.argmax(axis=1)).mean())
    return Parity(
        max_abs_error=max_abs,
        max_rel_error=max_rel,
        psnr_db=psnr_db,
        top1_agreement=agreement if finite else 0.0,
        inputs=len(reference),
        tolerance=tolerance.max_rel_error,
        passed=finite and max_rel <= tolerance.max_rel_error and psnr_db >= tolerance.min_psnr_db,
    )


def _psnr_db(reference: NDArray[Any], measured: NDArray[Any], peak: float) -> float:
    mean_square_error = float(np.mean((reference - measured) ** 2))
    if mean_square_error == 0:
        return IDENTICAL_PSNR_DB
    if peak == 0:
        return 0.0
    return min(IDENTICAL_PSNR_DB, 10 * math.log10(peak**2 / mean_square_error))
