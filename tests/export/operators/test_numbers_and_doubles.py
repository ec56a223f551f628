"""Numbers taken out of tensors, and float64 inside programs, for formats that hold neither."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.artifact import TensorSpec
from affnet.export.borders import held_outputs
from affnet.export.converters import get_converter
from affnet.export.operators import replace_operators
from affnet.export.operators.doubles import in_single_precision
from affnet.export.operators.numbers import numbers_as_tensors
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program
from tests.export.operators.test_rules import in_file

pytestmark = THIRD_PARTY_WARNINGS


def decibels(x: Tensor) -> Tensor:
    """Return what is at most 4 below the largest, as front ends for sound do."""
    y = x.abs().clamp(min=1e-10, max=float("inf")).log10() * 10
    top = y.max().item()
    return y.clamp(min=top - 4.0) / max(1.0, 2.0) + (1.0 - top) + torch.where(y > top / 2, 1.0, 0.0)


def test_a_number_taken_of_a_tensor_stays_one() -> None:
    program = torch.export.export(Program(decibels), (torch.ones(3, 5),))
    found = numbers_as_tensors(program)
    targets = {str(node.target) for node in found.graph.nodes}
    assert not any("item" in target or "function" in target for target in targets)
    for seed in range(2):
        x = torch.randn(3, 5, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(found.module()(x), decibels(x))


def test_a_number_that_an_operator_needs_is_left() -> None:
    def raised(x: Tensor) -> Tensor:
        return x ** x.max().item()

    program = torch.export.export(Program(raised), (torch.ones(3),))
    assert numbers_as_tensors(program) is program


class Doubles(Program):
    """float64 of a buffer, of a cast and of a new tensor."""

    def __init__(self) -> None:
        def function(x: Tensor) -> Tensor:
            steps = torch.linspace(0, 1, 8, dtype=torch.float64)
            return (x.double() * self.weight + steps).cumsum(-1)

        super().__init__(function, weight=torch.rand(8, dtype=torch.float64))


def test_float64_inside_a_program_becomes_float32() -> None:
    network, x = Doubles(), torch.randn(2, 8)
    program = torch.export.export(network, (x,))
    found = replace_operators(program, "tflite")
    types = {
        value.dtype
        for node in found.graph.nodes
        if isinstance(value := node.meta.get("val"), Tensor)
    }
    assert torch.float64 not in types
    actual = found.module()(x)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual.double(), network(x), rtol=1e-6, atol=1e-6)
    single = torch.export.export(Program(lambda x: x * 2), (x,))
    assert in_single_precision(single) is single


@pytest.mark.parametrize("format_", ["coreml", "tflite", "executorch", "coreai"])
def test_a_float64_that_a_network_gives_is_held_as_float32(format_: str) -> None:
    given = (TensorSpec("y", (2, 8), "float64"), TensorSpec("n", (2,), "int64"))
    held = held_outputs(given, get_converter(format_))
    assert held[0].dtype == "float32"
    assert held_outputs(given, get_converter("onnx")) == given


@pytest.mark.converters
@pytest.mark.slow
def test_a_tflite_file_of_numbers_doubles_and_a_unit_matrix(tmp_path: Path) -> None:
    network = Doubles()

    def both(x: Tensor) -> Tensor:
        return decibels(network(x).float()) @ torch.eye(8, 9) @ torch.eye(9, 8)

    x = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(in_file(both, x, "tflite", tmp_path), both(x), rtol=1e-5, atol=1e-5)


@pytest.mark.converters
def test_doubles_that_onnx_runtime_has_no_kernel_for_are_computed_in_single(tmp_path: Path) -> None:
    kernel = torch.randn(2, 2, 3, 3, dtype=torch.float64)

    def of_doubles(x: Tensor) -> Tensor:
        y = F.conv2d(x.double(), kernel, padding=1)
        y = F.avg_pool2d(F.conv_transpose2d(y, kernel, stride=2), 2)
        y = F.interpolate(F.group_norm(F.softplus(y), 2), scale_factor=2.0, mode="bilinear")
        return torch.atan2(F.gelu(y), y.erf() + 2).float()

    x = torch.randn(1, 2, 8, 8)
    torch.testing.assert_close(
        in_file(of_doubles, x, "onnx", tmp_path), of_doubles(x), rtol=1e-4, atol=1e-5
    )
