"""Interpolation beside transforms, in recordings, which hold torch's own operators for it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from affnet.export.fourier.rewrite import rewrite_program
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program, assert_same, rewrite

pytestmark = THIRD_PARTY_WARNINGS

aten = torch.ops.aten

X = torch.randn(2, 3, 9, 12, dtype=torch.float64)


def names(function: Any) -> set[str]:
    nodes = rewrite(function, X).program.graph.nodes
    return {str(n.target).split(".")[1] for n in nodes if n.op == "call_function"}


@pytest.mark.parametrize(
    ("operator", "options"),
    [
        (aten.upsample_bicubic2d.default, (True,)),
        (aten.upsample_bicubic2d.default, (False, 1.0, 1.0)),
        (aten.upsample_bilinear2d.default, (True,)),
    ],
)
def test_interpolation_to_the_size_that_a_map_has_is_nothing(operator: Any, options: Any) -> None:
    """As CODANO has it: 22 times, each seventy operators otherwise."""

    def function(x: Tensor) -> Tensor:
        y = operator(x.mT, [12, 9], *options)
        return torch.fft.fft(y).real.abs()

    assert_same(function, X)
    assert names(function) <= {"transpose", "clone", "linear", "matmul", "abs"}


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ([18, 7], (True,)),
        ([5, 1], (True,)),
        ([18, 7], (False,)),
        ([13, 18], (False, 1.5, 1.5)),
        ([9, 24], (False, None, 2.0)),
    ],
)
def test_bicubic_interpolation_is_two_products(sizes: list[int], options: Any) -> None:
    def function(x: Tensor) -> Tensor:
        y = aten.upsample_bicubic2d(x, sizes, *options)
        return torch.fft.fft(y).real.relu()

    assert_same(function, X)
    assert not names(function) & {"_unsafe_index", "upsample_bicubic2d"}
    assert names(function) <= {"linear", "matmul", "relu", "transpose", "clone", "permute"}


def test_litert_gets_interpolation_as_torch_takes_it_apart() -> None:
    def function(x: Tensor) -> Tensor:
        return torch.fft.fft(aten.upsample_bicubic2d(x, [9, 12], True)).real

    program = torch.export.export(Program(function), (X,))
    nodes = rewrite_program(program, runtime="litert").program.graph.nodes
    assert any(node.target is aten._unsafe_index.Tensor for node in nodes)
