"""How far an artifact's outputs are from PyTorch's.

Each input is judged by itself, its error relative to its own largest output: a file that is right
on loud sounds and wrong on quiet ones is wrong.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
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
#: does not; what they cost is judged by accuracy, see `affnet.export.quantization`.
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
class InputParity:
    """Agreement on one input; of several outputs, the worst of each."""

    name: str
    max_abs_error: float
    max_rel_error: float  # largest absolute difference over largest absolute reference value
    psnr_db: float  # peak: the largest absolute reference value
    passed: bool
    compared: float = 1.0  # share of the values that PyTorch in float32 determines, 0..1
    note: str = ""  # why others were left out, or what else is wrong, without a full stop


@dataclass(frozen=True)
class Parity:
    """Agreement over all inputs that were compared: the worst of each; of outputs likewise."""

    max_abs_error: float
    max_rel_error: float
    psnr_db: float
    top1_agreement: float  # share of rows, or of places in them, with the same top class, 0..1
    inputs: int  # inputs compared
    tolerance: float  # of max_rel_error
    passed: bool
    details: tuple[InputParity, ...] = ()  # of each input, those left out included

    @property
    def worst(self) -> InputParity | None:
        """The input that decides: one that fails, else that with the largest error."""
        return max(self.details, key=badness, default=None)


def badness(one: InputParity) -> tuple[bool, float, float]:
    """Return what sorts comparisons: those that fail last, by their errors."""
    return not one.passed, one.max_rel_error, -one.psnr_db


_SEED = 0
_ROUNDING = 1e-6  # of sums in float32, beside the largest value
# Monte Carlo samples are few, and a file's operators are not PyTorch's: its error may be that many
# times what PyTorch's own roundings showed.
_UNCERTAINTIES = 16
_UNDETERMINED = 0.5  # of the tolerance: an uncertainty that large leaves a value out
_NEGLIGIBLE = float(np.finfo(np.float32).tiny)  # smaller numbers are flushed to zero by some
_SMALLEST_PEAK = 1e-6  # where PyTorch gives zeros or nearly so: of the largest output elsewhere


def reference_image(
    shape: Sequence[int], dtype: str, bounds: tuple[float, float], *, seed: int = _SEED
) -> NDArray[Any]:
    """Return the image that every device is measured with and proven on: uniform, always the same.

    numpy promises the stream of a seeded `Generator` across platforms.
    """
    low, high = bounds
    values = np.random.default_rng(seed).random(tuple(shape), dtype=np.float32)
    image = values < 0.5 if dtype == "bool" else (low + (high - low) * values).astype(dtype)
    return np.asarray(image)  # numpy makes numbers of its own of scalars, which no runtime takes


def reference_inputs(described: Sequence[Mapping[str, Any]]) -> tuple[NDArray[Any], ...]:
    """Return what a file is measured with: `reference_image` for each of its inputs.

    Each is described by its shape, dtype and range, null where it has none.
    """
    return tuple(
        reference_image(one["shape"], one["dtype"], one["range"] or (0.0, 1.0), seed=_SEED + index)
        for index, one in enumerate(described)
    )


def depends_on_input(outputs: Sequence[NDArray[Any]]) -> bool:
    """Return whether any output, whose first axis counts the inputs, differs between two of them.

    Where none does by more than rounding, a file that computes nothing agrees with the network
    too, so that comparing them proves nothing.
    """
    return not all(map(_is_constant, outputs))


def _is_constant(output: NDArray[Any]) -> bool:
    """Return whether each place has the same value for all inputs; False where none is finite."""
    finite = np.isfinite(output)
    if not finite.any():
        return False
    highest = np.where(finite, output, -np.inf).max(axis=0)
    lowest = np.where(finite, output, np.inf).min(axis=0)
    return bool((highest - lowest).max() <= _ROUNDING * np.abs(output[finite]).max())


def compare(
    expected: Sequence[NDArray[Any]],
    actual: Sequence[NDArray[Any]],
    tolerance: Tolerance,
    class_axes: Sequence[int | None] = (),
) -> Parity:
    """Compare the outputs for one input, or for several joined on the first axis.

    ``class_axes`` is as `top1_agreement` has it.  Nothing is known of what float32 determines, so
    a reference that is not finite fails.
    """
    one = compare_input("the input", expected, actual, tolerance)
    agreement = top1_agreement(expected, actual, class_axes)
    if not all(np.isfinite(output).all() for output in expected):
        one = _failure(one.name, "the reference has values that are not finite")
    agreement = agreement if one.max_abs_error < math.inf else 0.0
    inputs = len(expected[0]) if expected[0].ndim else 1
    return dataclasses.replace(summarise([one], tolerance, agreement), inputs=inputs, details=())


def summarise(details: Sequence[InputParity], tolerance: Tolerance, agreement: float) -> Parity:
    """Join the agreement on single inputs, of which at least one was compared."""
    compared = [one for one in details if one.compared > 0 or not one.passed]
    return Parity(
        max_abs_error=max(one.max_abs_error for one in compared),
        max_rel_error=max(one.max_rel_error for one in compared),
        psnr_db=min(one.psnr_db for one in compared),
        top1_agreement=agreement,
        inputs=len(compared),
        tolerance=tolerance.max_rel_error,
        passed=all(one.passed for one in compared),
        details=tuple(details),
    )


def compare_input(
    name: str,
    expected: Sequence[NDArray[Any]],
    actual: Sequence[NDArray[Any]],
    tolerance: Tolerance,
    uncertainty: Sequence[NDArray[np.float64]] | None = None,
    usual_peaks: Sequence[float] | None = None,
) -> InputParity:
    """Compare the outputs for one input.

    Args:
        name: of the input.
        expected: PyTorch's outputs.
        actual: the file's; a shape that differs fails whatever the tolerance.
        tolerance: the largest error that agrees.
        uncertainty: for each output, how far float32 leaves each value open.
        usual_peaks: the largest value of each output on other inputs, for an input on which
            PyTorch gives zeros, or next to nothing.
    """
    if len(expected) != len(actual) or not expected:
        raise ValueError(f"{len(actual)} outputs cannot be compared with {len(expected)}")
    open_ = uncertainty or [np.zeros(())] * len(expected)
    peaks = usual_peaks or [0.0] * len(expected)
    found = [
        _compare_output(name, *values, tolerance)
        for values in zip(expected, actual, open_, peaks, strict=True)
    ]
    sizes = [max(1, output.size) for output in expected]
    return InputParity(
        name,
        max(one.max_abs_error for one in found),
        max(one.max_rel_error for one in found),
        min(one.psnr_db for one in found),
        all(one.passed for one in found),
        float(np.average([one.compared for one in found], weights=sizes)),
        next((one.note for one in sorted(found, key=lambda one: one.passed) if one.note), ""),
    )


def _compare_output(
    name: str,
    expected: NDArray[Any],
    actual: NDArray[Any],
    uncertainty: NDArray[np.float64],
    usual_peak: float,
    tolerance: Tolerance,
) -> InputParity:
    if expected.ndim == 0 and actual.size == 1:  # some formats hold no scalars
        actual = actual.reshape(())
    if actual.shape != expected.shape:
        return _failure(name, f"its shape is {actual.shape}, PyTorch's {expected.shape}")
    reference, measured = expected.astype(np.float64), actual.astype(np.float64)
    open_ = np.broadcast_to(uncertainty, reference.shape)
    determined = np.isfinite(reference) & np.isfinite(open_)
    of_all = f"of {reference.size} values, where PyTorch has"
    if lost := int((np.isnan(measured) & ~np.isnan(reference) & np.isfinite(open_)).sum()):
        return _failure(name, f"NaN in {lost} {of_all} numbers")
    if lost := int((np.isinf(measured) & determined).sum()):
        return _failure(name, f"infinity in {lost} {of_all} finite numbers")
    if expected.dtype.kind in "iub":
        return _compare_integers(name, reference, measured, open_, tolerance)
    if not determined.any():
        reason = "PyTorch gives no finite number" if reference.size else "the output is empty"
        return InputParity(name, 0.0, 0.0, IDENTICAL_PSNR_DB, True, 0.0, reason)
    reference, measured = reference[determined], measured[determined]
    peak = max(float(np.abs(reference).max()), _SMALLEST_PEAK * usual_peak)
    error, allowed = np.abs(measured - reference), _UNCERTAINTIES * open_[determined]
    error = np.where(error < _NEGLIGIBLE, 0.0, np.maximum(error - allowed, 0.0))
    vague = allowed > _UNDETERMINED * tolerance.max_rel_error * peak
    compared = float((~vague).sum() / expected.size)
    return _judged(name, error, peak, compared, tolerance)


def _compare_integers(
    name: str,
    reference: NDArray[np.float64],
    measured: NDArray[np.float64],
    open_: NDArray[np.float64],
    tolerance: Tolerance,
) -> InputParity:
    """Compare integers or truth values, whose relative error is the share that differs.

    Where PyTorch's own roundings change one, as the place of the larger of two like numbers, any
    is right.
    """
    determined = _UNCERTAINTIES * open_ < 0.5
    compared = float(determined.mean()) if reference.size else 0.0
    if not compared:
        reason = "PyTorch in float32 leaves all values open" if reference.size else "it is empty"
        return InputParity(name, 0.0, 0.0, IDENTICAL_PSNR_DB, True, 0.0, reason)
    errors = np.abs(measured - reference)[determined]
    share = float((errors > 0).mean())
    psnr_db, passed = _psnr_db(errors > 0, 1.0), share <= tolerance.max_rel_error
    return InputParity(
        name, float(errors.max()), share, psnr_db, passed, compared, _open_note(compared)
    )


def _judged(
    name: str, error: NDArray[np.float64], peak: float, compared: float, tolerance: Tolerance
) -> InputParity:
    """Judge the part of the errors that PyTorch's own roundings do not explain."""
    max_abs = float(error.max())
    max_rel = max_abs / peak if peak > 0 else (0.0 if max_abs == 0 else math.inf)
    psnr_db = _psnr_db(error, peak)
    passed = max_rel <= tolerance.max_rel_error and psnr_db >= tolerance.min_psnr_db
    return InputParity(name, max_abs, max_rel, psnr_db, passed, compared, _open_note(compared))


def _open_note(compared: float) -> str:
    return f"PyTorch in float32 leaves {1 - compared:.1%} of the values open" * (compared < 1)


def _failure(name: str, note: str) -> InputParity:
    return InputParity(name, math.inf, math.inf, 0.0, False, note=note)


def top1_agreement(
    expected: Sequence[NDArray[Any]],
    actual: Sequence[NDArray[Any]],
    class_axes: Sequence[int | None] = (),
) -> float:
    """Return the share of places at which the same class has the largest score.

    ``class_axes`` says of each output where one score of each class stands: those that have classes
    count, the least of them.  Without any, each row is taken as scores.
    """
    axes = class_axes or [None] * len(expected)
    has_classes = any(axis is not None for axis in axes)
    return min(
        _top1_agreement(e, a, axis) if e.shape == a.shape else 0.0
        for e, a, axis in zip(expected, actual, axes, strict=True)
        if axis is not None or not has_classes
    )


def _top1_agreement(expected: NDArray[Any], actual: NDArray[Any], axis: int | None) -> float:
    if not expected.size:
        return 1.0
    if axis is None:
        rows = len(expected) if expected.ndim > 1 else 1
        expected, actual = (x.reshape(rows, -1) for x in (expected, actual))
        axis = 1
    return float((expected.argmax(axis) == actual.argmax(axis)).mean())


def _psnr_db(error: NDArray[Any], peak: float) -> float:
    mean_square_error = float(np.mean(np.square(error, dtype=np.float64)))
    if mean_square_error == 0:
        return IDENTICAL_PSNR_DB
    if peak == 0:
        return 0.0
    return min(IDENTICAL_PSNR_DB, 20 * math.log10(peak) - 10 * math.log10(mean_square_error))
