"""The search for parts that a device's float16 arithmetic hurts, with errors that are known."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from affnet.export.converters.half_parts import HalfPart, parts_in_float32

PARTS = [f"layer_{number}" for number in range(16)]


class Device:
    """Errors of parts, in bounds, whose squares add up; it counts the files that it ran."""

    def __init__(self, errors: Mapping[str, float]) -> None:
        self.errors, self.runs = errors, 0

    def excess(self, float32: frozenset[str]) -> float:
        self.runs += 1
        return math.sqrt(sum(e**2 for part, e in self.errors.items() if part not in float32))


def test_nothing_is_kept_and_one_file_run_where_the_whole_holds_the_bound() -> None:
    device = Device(dict.fromkeys(PARTS, 0.2))
    assert parts_in_float32(PARTS, device.excess) == []
    assert device.runs == 1


def test_the_parts_that_cause_the_error_are_kept_worst_first_and_found_by_halving() -> None:
    device = Device(dict.fromkeys(PARTS, 0.05) | {"layer_3": 2.0, "layer_12": 3.0})
    assert parts_in_float32(PARTS, device.excess) == [
        HalfPart("layer_12", 3.0),
        HalfPart("layer_3", 2.0),
    ]
    assert device.runs < 20  # each part by itself would be 16, and the pairs more


def test_a_part_that_overflows_has_no_error_to_name() -> None:
    device = Device(dict.fromkeys(PARTS, 0.05) | {"layer_7": math.inf})
    assert parts_in_float32(PARTS, device.excess) == [HalfPart("layer_7", None)]
    assert HalfPart("layer_7", None).described() == {"part": "layer_7", "error": None}


def test_an_error_that_two_parts_only_make_together_is_found_too() -> None:
    def excess(float32: frozenset[str]) -> float:
        return 0.1 if float32 & {"layer_2", "layer_9"} else math.inf

    kept = {one.part for one in parts_in_float32(PARTS, excess)}
    assert kept & {"layer_2", "layer_9"}


@pytest.mark.parametrize("error", [0.6, 5.0])
def test_an_even_error_keeps_as_many_as_it_takes(error: float) -> None:
    device = Device(dict.fromkeys(PARTS, error))
    kept = {one.part for one in parts_in_float32(PARTS, device.excess)}
    assert device.excess(frozenset(kept)) <= 1
    assert len(kept) == {0.6: 15, 5.0: 16}[error]
