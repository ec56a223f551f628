"""Faults of devices, planted into files: behind one operator, what it gives is spoiled.

Each is a list of steps, which files of all formats have operators for; it is empty where a value
cannot have the fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Value = NDArray[np.float32]


@dataclass(frozen=True)
class Step:
    """An operator, by its name in ONNX, TFLite and ML programs, with a constant."""

    onnx: str
    tflite: str
    mlprogram: str
    constant: NDArray[Any]


def _scaled(factor: float) -> Step:
    return Step("Mul", "MUL", "mul", np.float32(factor).reshape(1))


def wrong_kernel(value: Value) -> list[Step]:
    """Let another kernel run: what it gives is scaled and shifted."""
    return [_scaled(1.5), Step("Add", "ADD", "add", np.float32(0.1 * _peak(value)).reshape(1))]


def swapped_layout(value: Value) -> list[Step]:
    """Read as N x C x .. what was written as N x .. x C; nothing where both are the same."""
    channels, places = value.shape[1], value[0, 0].size
    if 1 in (channels, places):
        return []
    last = np.array([value.shape[0], *value.shape[2:], value.shape[1]], np.int64)
    axes = [0, value.ndim - 1, *range(1, value.ndim - 1)]
    return [
        Step("Reshape", "RESHAPE", "reshape", last),
        Step("Transpose", "TRANSPOSE", "transpose", np.array(axes, np.int64)),
    ]


def saturating(value: Value) -> list[Step]:
    """Let nothing be larger than a third of the largest value, as 8 bits with a bad scale."""
    bound = np.float32(_peak(value) / 3).reshape(1)
    return [
        Step("Min", "MINIMUM", "minimum", bound),
        Step("Max", "MAXIMUM", "maximum", -bound),
    ]


def overflowing(value: Value) -> list[Step]:
    """Let what is above half of the largest value become infinite."""
    large, limit = 1e30, float(np.finfo(np.float32).max)
    return [
        _scaled(2 * large / _peak(value)),
        _scaled(limit / large),
        _scaled(large / limit),
        _scaled(_peak(value) / (2 * large)),
    ]


def not_copied_back(_: Value) -> list[Step]:
    """Give what stood in memory before, zeros, as an operator on the CPU that nobody waits for."""
    return [_scaled(0.0)]


FAULTS: dict[str, Callable[[Value], list[Step]]] = {
    "wrong kernel": wrong_kernel,
    "swapped layout": swapped_layout,
    "saturating 8 bits": saturating,
    "overflow of float16": overflowing,
    "one operator on the CPU": not_copied_back,
}


def _peak(value: Value) -> float:
    return float(np.abs(value).max()) or 1.0
