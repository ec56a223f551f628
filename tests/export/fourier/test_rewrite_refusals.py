"""What cannot be rewritten is refused by name, with the line of the user's code."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from affnet.errors import ConversionError, UsageError
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program, rewrite

pytestmark = THIRD_PARTY_WARNINGS


class CumulativeSum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.fft(x)
        return torch.logcumsumexp(z, 0).real  # the line to be named


class Eigenvalues(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eig(x)[0].abs()


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.fft(x)
        return torch.cond(x.sum() > 0, lambda v: v * 2, lambda v: v + 1, (z,)).abs()


def refused(module: nn.Module, *args: Tensor, **options: object) -> str:
    with pytest.raises((ConversionError, UsageError)) as caught:
        rewrite(module, *args, **options)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


def test_a_complex_operator_without_rule_is_named_with_its_line() -> None:
    message = refused(CumulativeSum(), torch.randn(4))
    assert re.search(
        r"'logcumsumexp' \(aten\.logcumsumexp\.default\), from test_rewrite_refusals\.py:\d+",
        message,
    )
    assert "`return torch.logcumsumexp(z, 0).real" in message


def test_eigenvalues_are_refused() -> None:
    message = refused(Eigenvalues(), torch.randn(3, 3))
    assert "linalg_eig" in message and "test_rewrite_refusals.py" in message


def test_complex_values_in_a_nested_graph_are_refused() -> None:
    assert "nested graph" in refused(Branches(), torch.randn(4))


def test_a_length_of_a_huge_prime_is_refused_with_one_that_is_not() -> None:
    def function(x: Tensor) -> Tensor:
        return torch.fft.rfft(x).abs()

    message = refused(Program(function), torch.zeros(1, 999_983))
    assert "length 999983 has a large prime factor" in message
    assert "such as 1048576" in message


@pytest.mark.parametrize(
    "function",
    [torch.fft.fft, torch.fft.rfft, lambda x: torch.fft.fft2(x).real],
    ids=["fft", "rfft", "fft2"],
)
def test_a_dynamic_transformed_axis_is_refused(function: Callable[[Tensor], Tensor]) -> None:
    class Dynamic(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x).abs()

    message = refused(Dynamic(), torch.randn(3, 6), dynamic_shapes=({1: Dim("n", min=2)},))
    assert "has a dynamic length; omit it from --dynamic" in message
    assert "_fft_" in message


def test_a_transform_too_long_for_its_constants_is_refused() -> None:
    class Long(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.rfft(x).abs()

    assert "frames of at most 1048576" in refused(Long(), torch.randn((1 << 20) + 2))
