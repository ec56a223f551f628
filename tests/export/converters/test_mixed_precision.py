"""The rule that keeps operators in float32, on a program of three operators in numpy."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from affnet.export.converters.mixed_precision import Operation, choose_float32, lost_constant

Array = NDArray[np.float32]


def half(value: Array) -> Array:
    return value.astype(np.float16).astype(np.float32)


class Decibels:
    """log10(scale x^2 + floor) as four operators; ``run`` is what each does to its input."""

    outputs = ("db",)

    def __init__(self, scale: float, floor: float) -> None:
        numbers = [np.array(number, np.float32) for number in (scale, floor)]
        self.operations = (
            Operation("square", "mul", ("x",), ("power",)),
            Operation("scale", "mul", ("power",), ("scaled",), (numbers[0],)),
            Operation("floor", "add", ("scaled",), ("floored",), (numbers[1],), "db.py:3"),
            Operation("log", "log", ("floored",), ("db",)),
        )

    def run(self, operation: Operation, x: Array, constants: list[Array]) -> Array:
        if operation.kind == "log":
            return np.log10(x)
        other = constants[0] if constants else x
        return x * other if operation.kind == "mul" else x + other

    def compare(self, sample: Array, float32: frozenset[str]) -> Iterator[tuple[str, Array, Array]]:
        yield "x", sample, sample
        exact = mixed = sample
        for operation in self.operations:
            exact = self.run(operation, exact, list(operation.constants))
            if operation.name in float32:
                mixed = self.run(operation, mixed, list(operation.constants))
            else:
                rounded = [half(value) for value in operation.constants]
                mixed = half(self.run(operation, half(mixed), rounded))
            yield operation.outputs[0], exact, mixed


def samples(*sizes: float) -> list[Array]:
    noise = np.random.default_rng(0).random(64, dtype=np.float32) + np.float32(0.5)
    return [noise * np.float32(size) for size in sizes]


def test_nothing_is_kept_where_float16_holds_all() -> None:
    choice = choose_float32(Decibels(2.0, 1.0), samples(1.0, 10.0))
    assert choice.kept == {}
    assert choice.details()["largest"] == pytest.approx(2 * 15**2, rel=0.1)
    assert choice.details()["operator"] == "add (floor), from db.py:3"


def test_a_square_that_overflows_is_kept_with_its_readers() -> None:
    choice = choose_float32(Decibels(1e-3, 1.0), samples(400.0))
    assert list(choice.kept) == ["square", "scale"]
    assert "float16 ends at 65,504" in choice.kept["square"]
    assert choice.largest < 65504 / 2


def test_a_lost_constant_is_kept_with_its_reader_even_without_samples() -> None:
    choice = choose_float32(Decibels(1.0, 1e-10), ())
    assert choice.kept == {
        "floor": "its constant 1e-10 is lost in float16",
        "log": "it reads floor, where its constant 1e-10 is lost in float16",
    }
    kept = json.loads(json.dumps(choice.details()))["kept_float32"]
    assert kept[0]["operator"] == "add (floor), from db.py:3"


def test_an_error_is_followed_back_to_what_the_logarithm_needs() -> None:
    """1e-4 squared is 1e-8, which float16 takes for 0: only the logarithm shows it."""
    program = Decibels(1.0, 1e-10)
    assert set(choose_float32(program, samples(1.0, 1e-4)).kept) == {
        "square", "scale", "floor", "log",
    }  # fmt: skip
    assert set(choose_float32(program, samples(1.0)).kept) == {"floor", "log"}


@pytest.mark.parametrize(
    ("constant", "lost"),
    [(1e-10, "1e-10"), (1e6, "1e+06"), (1e-6, ""), (0.0, ""), (3.4e38, ""), (-np.inf, "")],
)
def test_lost_constants(constant: float, lost: str) -> None:
    assert lost_constant(np.array(constant, np.float32)) == lost
    assert lost_constant(np.array([1.0, 1e-10], np.float32)) == ""  # a weight beside others
