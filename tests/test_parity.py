"""How agreement is judged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from affnet.parity import (
    IDENTICAL_PSNR_DB,
    TOLERANCES,
    InputParity,
    Tolerance,
    compare,
    compare_input,
    depends_on_input,
    reference_inputs,
    summarise,
)

REFERENCE = np.array([[1.0, -4.0, 2.0], [0.0, 1.0, 3.0]], np.float32)


def test_identical_outputs_agree_to_the_last_bit() -> None:
    parity = compare([REFERENCE], [REFERENCE.copy()], Tolerance(0.0))
    assert (parity.max_abs_error, parity.max_rel_error, parity.psnr_db) == (0, 0, IDENTICAL_PSNR_DB)
    assert (parity.top1_agreement, parity.inputs, parity.passed) == (1.0, 2, True)


def test_errors_are_fractions_of_the_largest_reference_value() -> None:
    measured = REFERENCE.copy()
    measured[1, 2] -= 0.04
    parity = compare([REFERENCE], [measured], Tolerance(0.011))
    assert parity.max_abs_error == pytest.approx(0.04, rel=1e-5)
    assert parity.max_rel_error == pytest.approx(0.01, rel=1e-5)
    # mean square error 0.04^2 / 6, peak 4
    assert parity.psnr_db == pytest.approx(10 * math.log10(16 * 6 / 0.0016), abs=1e-3)
    assert parity.passed
    assert not compare([REFERENCE], [measured], Tolerance(0.009)).passed


def test_of_several_outputs_each_is_judged_by_its_own_size() -> None:
    outputs = [REFERENCE, 10 * REFERENCE]
    parity = compare(outputs, [REFERENCE + 0.5, 10 * REFERENCE + 1], Tolerance(0.1))
    assert parity.inputs == 2
    assert parity.max_abs_error == pytest.approx(1)
    assert parity.max_rel_error == pytest.approx(0.5 / 4)
    assert not parity.passed
    assert compare(outputs, [REFERENCE, 10 * REFERENCE + 1], Tolerance(0.1)).passed


def test_classes_are_compared_where_the_outputs_have_them() -> None:
    scores = np.zeros((1, 3, 2, 2), np.float32)
    scores[0, 1], scores[0, 2, 0, 0] = 1, 2  # class 1 everywhere but in a corner
    measured = scores.copy()
    measured[0, 0, 1, 1] = 3
    boxes = np.ones((1, 5, 4), np.float32)
    parity = compare([scores, boxes], [measured, boxes], Tolerance(9), class_axes=[1, None])
    assert parity.top1_agreement == 0.75


def test_top1_agreement_is_the_share_of_rows() -> None:
    measured = REFERENCE.copy()
    measured[1] = [5, 1, 3]
    assert compare([REFERENCE], [measured], Tolerance(1)).top1_agreement == 0.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", ["measured", "reference"])
def test_values_that_are_not_finite_fail_whatever_the_tolerance(value: float, side: str) -> None:
    broken = REFERENCE.copy()
    broken[0, 0] = value
    pair = (REFERENCE, broken) if side == "measured" else (broken, REFERENCE)
    parity = compare([pair[0]], [pair[1]], Tolerance(math.inf))
    assert not parity.passed
    assert (parity.max_abs_error, parity.max_rel_error) == (math.inf, math.inf)
    assert (parity.psnr_db, parity.top1_agreement) == (0, 0)


def test_another_shape_fails_whatever_the_tolerance() -> None:
    parity = compare([REFERENCE], [REFERENCE[:, :2]], Tolerance(math.inf))
    assert not parity.passed
    assert (parity.max_rel_error, parity.psnr_db, parity.inputs) == (math.inf, 0, 2)


def test_a_reference_of_zeros_is_only_met_by_zeros() -> None:
    zeros = np.zeros((1, 3), np.float32)
    assert compare([zeros], [zeros], Tolerance(1e-4)).passed
    parity = compare([zeros], [zeros + 1e-9], Tolerance(1e-4))
    assert not parity.passed
    assert (parity.max_rel_error, parity.psnr_db) == (math.inf, 0)


def judged(expected: np.ndarray, actual: np.ndarray, **more: Any) -> InputParity:
    return compare_input("it", [expected], [actual], Tolerance(1e-4), **more)


def test_where_pytorch_has_no_number_none_is_asked_for() -> None:
    reference, measured = REFERENCE.copy(), REFERENCE.copy()
    reference[0, 0] = math.nan
    for value in (math.nan, math.inf, 0.0):  # 0 / 0, computed in another way
        measured[0, 0] = value
        assert judged(reference, measured).passed
    found = judged(np.full((2, 2), math.nan), np.zeros((2, 2)))
    assert (found.passed, found.compared) == (True, 0.0)
    assert found.note == "PyTorch gives no finite number"


def test_no_number_where_pytorch_has_one_fails() -> None:
    for value, what in ((math.nan, "NaN"), (-math.inf, "infinity")):
        measured = REFERENCE.copy()
        measured[1, 2] = value
        found = judged(REFERENCE, measured)
        assert not found.passed
        assert found.note.startswith(f"{what} in 1 of 6 values")
    reference, measured = REFERENCE.copy(), REFERENCE.copy()
    reference[0, 0], measured[0, 0] = -math.inf, math.nan  # log(0), and its NaN
    assert not judged(reference, measured).passed


def test_what_float32_leaves_open_is_left_out() -> None:
    """An angle beside its cut, pi or -pi by the last rounding."""
    reference = np.array([3.0, math.pi, 1.0])
    measured = np.array([3.0, -math.pi, 1.0])
    uncertainty = np.array([1e-7, 2 * math.pi, 1e-7])
    assert not judged(reference, measured).passed
    found = judged(reference, measured, uncertainty=[uncertainty])
    assert found.passed
    assert found.compared == pytest.approx(2 / 3)
    assert found.note == "PyTorch in float32 leaves 33.3% of the values open"
    measured[0] = 2.0
    assert not judged(reference, measured, uncertainty=[uncertainty]).passed


def test_numbers_too_small_for_some_processors_may_be_zero() -> None:
    tiny = np.full((2, 2), 1e-41)
    assert judged(tiny, np.zeros((2, 2))).passed
    assert not judged(np.full((2, 2), 1e-37), np.zeros((2, 2))).passed


def test_where_pytorch_gives_zeros_other_inputs_say_what_is_small() -> None:
    zeros = np.zeros((2, 2))
    assert judged(zeros, zeros + 1e-11, usual_peaks=[1.0]).passed
    assert not judged(zeros, zeros + 1e-9, usual_peaks=[1.0]).passed
    closed = zeros + 1e-15  # a network with all its gates closed
    assert judged(closed, zeros, usual_peaks=[1.0]).passed
    assert not judged(zeros + 1e-9, zeros, usual_peaks=[1.0]).passed


def test_a_scalar_may_have_an_axis_of_one() -> None:
    assert judged(np.array(2.0), np.array([2.0])).passed
    assert not judged(np.array(2.0), np.array([2.0, 2.0])).passed


def test_the_worst_input_is_one_that_fails() -> None:
    good, bad = judged(REFERENCE, REFERENCE + 1e-4), judged(REFERENCE, REFERENCE + 1)
    parity = summarise([good, bad, good], Tolerance(1e-4), 1.0)
    assert (parity.worst, parity.passed, parity.inputs) == (bad, False, 3)


@pytest.mark.parametrize("outputs", [([], []), ([REFERENCE], []), ([REFERENCE], [REFERENCE] * 2)])
def test_a_different_number_of_outputs_is_a_mistake_of_the_caller(
    outputs: tuple[list[np.ndarray], list[np.ndarray]],
) -> None:
    with pytest.raises(ValueError, match="outputs cannot be compared"):
        compare(*outputs, Tolerance(1e-4))


def test_float32_may_differ_by_a_ten_thousandth() -> None:
    assert TOLERANCES["fp32"].max_rel_error == 1e-4


def test_outputs_that_no_input_changes_are_told() -> None:
    constant = np.full((2, 3), 100.0, np.float32)
    assert not depends_on_input([np.zeros_like(constant)])
    rounded = constant + np.array([[0.0], [1e-5]], np.float32)  # by one unit in the last place
    assert (rounded[0] != rounded[1]).all()
    assert not depends_on_input([rounded])
    assert depends_on_input([constant, REFERENCE])
    assert depends_on_input([np.full((2, 3), np.inf, np.float32)])  # compare refuses it
    reciprocals = np.array([[np.inf, np.inf], [1, 2], [3, 4]], np.float32)  # the first of zeros
    assert depends_on_input([reciprocals])
    assert not depends_on_input([reciprocals[:2]])


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_what_a_scalar_input_is_measured_with_is_an_array(dtype: str) -> None:
    described = {"shape": (), "dtype": dtype, "range": [0, 5]}
    (made,) = reference_inputs([described])
    assert isinstance(made, np.ndarray)
    assert (made.shape, made.dtype.name) == ((), dtype)
