"""Transforms of all lengths: dense, in stages, and by convolution, in linear memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from affnet.export.fourier.costs import SPEEDS
from affnet.export.fourier.rewrite import rewrite_program
from affnet.export.fourier.rewrite.kernels import Bluestein, Dense, Kernel, Stages, plan_kernel
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program, assert_same, rewrite

pytestmark = THIRD_PARTY_WARNINGS


def all_four(length: int) -> Callable[[Tensor], list[Tensor]]:
    """Return one graph of the four kinds of transform, over the last axis and before it."""

    def function(x: Tensor) -> list[Tensor]:
        z = torch.fft.rfft(x, norm="ortho")
        whole = torch.fft.fft(torch.complex(x, x.flip(-1)), norm="ortho")
        columns = whole.transpose(0, 1)[:, None] * torch.linspace(0, 1, 9, dtype=x.dtype)
        return [
            z,
            torch.fft.irfft(z * (1 - 2j), length, norm="ortho"),
            torch.fft.ifft(whole * 2j, norm="ortho"),
            torch.fft.fft(columns, dim=0, norm="ortho")[:, 0, 1],
        ]

    return function


@pytest.mark.parametrize(
    "length",
    [96, 1500, 2047, 1021, 1538],
    ids=["two factors", "three", "odd", "prime", "twice a prime"],
)
def test_lengths(length: int) -> None:
    assert_same(all_four(length), torch.randn(1, length, dtype=torch.float64))


@pytest.mark.parametrize("length", [1 << 17, 100_003], ids=["power of two", "prime"])
def test_long_lengths_in_linear_memory(length: int) -> None:
    result = assert_same(torch.fft.rfft, torch.randn(1, length), tolerance=2e-6)
    assert sum(t.numel() for t in result.program.constants.values()) <= 14 * length


def test_half_precision_is_scaled_in_stages() -> None:
    def function(x: Tensor) -> Tensor:
        return torch.fft.irfft(torch.fft.rfft(x) * (1 + 1j))

    x = torch.randn(2, 4096)
    program = rewrite_program(torch.export.export(Program(function), (x,)), half=True).program
    torch.testing.assert_close(program.module()(x), function(x), rtol=0, atol=2e-5)
    assert any("_by_" in name for name in program.constants)  # it is in stages


def test_constants_are_shared_between_layers_and_axes() -> None:
    def function(x: Tensor) -> Tensor:
        for _ in range(3):
            x = torch.fft.fft2(x, norm="ortho").real
        return x

    once = rewrite(Program(lambda x: torch.fft.fft2(x, norm="ortho").real), torch.randn(48, 48))
    thrice = rewrite(Program(function), torch.randn(48, 48))
    assert len(thrice.program.constants) == len(once.program.constants)


@pytest.mark.parametrize("runtime", ["onnxruntime", "coreml", "one that nobody calibrated"])
def test_forms_of_each_runtime(runtime: str) -> None:
    x = torch.randn(2, 96, 9, dtype=torch.float64)
    network = Program(lambda x: torch.fft.irfft(torch.fft.rfft(x, 512, dim=1), 512, dim=1))
    program = rewrite_program(torch.export.export(network, (x,)), runtime=runtime).program
    torch.testing.assert_close(program.module()(x), network(x))
    targets = {node.target for node in program.graph.nodes}
    assert (torch.ops.aten.matmul.default in targets) == (runtime == "onnxruntime")


@pytest.mark.parametrize("runtime", sorted(SPEEDS))
def test_plans(runtime: str) -> None:
    def plan(length: int, outputs: int | None = None) -> object:
        kernel = Kernel(length, -1, ((0, length),), ((0, outputs or length),), takes_real=True)
        return plan_kernel(kernel, 64, 1, SPEEDS[runtime])

    assert plan(32) == Dense()
    assert plan(4096, 9) == Dense()
    assert isinstance(plan(4096), Stages)
    assert isinstance(plan(65537), Bluestein)
    assert plan((1 << 20) + 1) is None
