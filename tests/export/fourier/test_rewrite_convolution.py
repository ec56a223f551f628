"""A product with a constant spectrum between transforms: a convolution where that costs less."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from affnet.export.fourier.rewrite import convolution
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, assert_same

pytestmark = THIRD_PARTY_WARNINGS

aten = torch.ops.aten
double = torch.float64


def is_convolution(function: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Compare the rewritten graph with PyTorch, and return whether it has no transforms."""
    result = assert_same(function, x)
    found = [node.target for node in result.program.graph.nodes if node.op == "call_function"]
    assert aten.conv1d.default not in found or aten.matmul.default not in found
    return aten.conv1d.default in found


@pytest.mark.parametrize(
    ("shape", "kernel", "length"),
    [
        ((1, 4, 1000), (4, 101), 1100),
        ((2, 3, 700), (1, 33), 732),
        ((2, 3, 700), (65,), 701),  # turns round the end
        ((900,), (50,), 949),
    ],
)
@pytest.mark.parametrize("wanted", [slice(None), slice(17, 600)])
def test_short_kernels_are_convolutions(
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    length: int,
    wanted: slice,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(convolution, "_by_transforms", lambda *_: math.inf)
    taps = torch.randn(*kernel, dtype=double)

    def function(x: Tensor) -> Tensor:
        z = torch.fft.rfft(taps, n=length) * torch.fft.rfft(x, n=length)
        return torch.fft.irfft(z, n=length)[..., wanted]

    assert is_convolution(function, torch.randn(*shape, dtype=double))


def test_kernels_around_zero_and_other_norms() -> None:
    taps = torch.zeros(800, dtype=double)
    taps[:5], taps[-9:] = torch.randn(5, dtype=double), torch.randn(9, dtype=double)

    def function(x: Tensor) -> Tensor:
        z = torch.fft.rfft(x, norm="ortho") * torch.fft.rfft(taps)
        return torch.fft.irfft(z, n=800, norm="forward")

    assert is_convolution(function, torch.randn(2, 800, dtype=double))


@pytest.mark.parametrize("gain", [torch.tensor(0.7), torch.tensor([0.7]), torch.tensor(0.7 + 1j)])
def test_a_gain_between_transforms_is_no_kernel(gain: Tensor) -> None:
    def function(x: Tensor) -> Tensor:
        return torch.fft.irfft(torch.fft.rfft(x) * gain.to(torch.promote_types(gain.dtype, double)))

    assert not is_convolution(function, torch.randn(2, 16, dtype=double))


def test_a_real_response_is_a_kernel_too() -> None:
    response = torch.fft.rfft(torch.cat((torch.ones(3), torch.zeros(509), -torch.ones(2)))).real

    def function(x: Tensor) -> Tensor:
        return torch.fft.irfft(torch.fft.rfft(x) * response.double(), n=514)

    assert is_convolution(function, torch.randn(1, 514, dtype=double))


@pytest.mark.parametrize("odd", ["dense", "given", "other axis", "wide"])
def test_what_is_none_or_costs_more_stays_transforms(odd: str) -> None:
    taps = torch.randn(8, 1024 if odd == "dense" else 20, dtype=double)
    axis = 1 if odd == "other axis" else -1

    def function(x: Tensor) -> Tensor:
        kernel = taps + x.mean() if odd == "given" else taps
        z = torch.fft.rfft(kernel, n=2048)
        z = z.transpose(0, 1) if odd == "other axis" else z
        if odd == "wide":  # more channels come out than go in
            return torch.fft.irfft(torch.fft.rfft(x[:, :1], n=2048) * z, n=2048)
        return torch.fft.irfft(torch.fft.rfft(x, n=2048, dim=axis) * z, n=2048, dim=axis)

    shape = (1, 1024, 8) if odd == "other axis" else (1, 8, 1024)
    assert not is_convolution(function, torch.randn(shape, dtype=double))


def test_a_long_kernel_of_few_channels_is_one_convolution() -> None:
    taps = torch.randn(4, 1025, dtype=double)

    def function(x: Tensor) -> Tensor:
        z = torch.fft.rfft(x, n=5120) * torch.fft.rfft(taps, n=5120)
        return torch.fft.irfft(z, n=5120)[..., :4096]

    assert is_convolution(function, torch.randn(1, 4, 4096, dtype=double))


def test_results_beyond_a_kernel_are_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "_BLOCKS", (7,))
    taps = torch.randn(5, dtype=double)

    def function(x: Tensor) -> Tensor:
        z = torch.fft.rfft(x, n=100) * torch.fft.rfft(taps, n=100)
        return torch.fft.irfft(z, n=100)[..., 20:90]

    assert is_convolution(function, torch.randn(3, 40, dtype=double))
