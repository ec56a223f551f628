"""A filter by transforms of half the length, at frequencies a quarter of a bin above the bins."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from affnet.export.fourier.costs import speed_of
from affnet.export.fourier.rewrite import convolution, right_angle
from affnet.export.fourier.rewrite.filters import Filter
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, assert_same

pytestmark = THIRD_PARTY_WARNINGS

aten = torch.ops.aten
double = torch.float64


def constants(function: Callable[[Tensor], Tensor], x: Tensor) -> list[str]:
    """Compare the rewritten graph with PyTorch, and return the names of its constants."""
    result = assert_same(function, x)
    return [node.name for node in result.program.graph.nodes if node.op == "placeholder"]


def is_right_angle(function: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    return any("right_angle" in name for name in constants(function, x))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other way be taken."""
    monkeypatch.setattr(convolution, "_by_transforms", lambda *_: math.inf)
    monkeypatch.setattr(convolution, "_BLOCKS", ())


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("shape", "kernel", "length"),
    [
        ((1, 4, 256), (4, 256), 512),  # causal, as long as the signal
        ((2, 3, 250), (1, 250), 499),  # one kernel for all, a prime number of blocks
        ((2, 2, 2, 101), (2, 50), 150),
        ((97,), (97,), 193),
        ((3, 64), (3, 100), 163),  # longer than the signal
    ],
)
@pytest.mark.parametrize("wanted", [slice(0, 64), slice(None), slice(17, 90)])
def test_linear_filters(
    shape: tuple[int, ...], kernel: tuple[int, ...], length: int, wanted: slice
) -> None:
    torch.manual_seed(0)
    taps = torch.randn(*kernel, dtype=double)

    def function(x: Tensor) -> Tensor:
        z = torch.fft.rfft(taps, n=length) * torch.fft.rfft(x, n=length, norm="ortho")
        return torch.fft.irfft(z, n=length)[..., wanted]

    assert is_right_angle(function, torch.randn(*shape, dtype=double))


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("begin", [0, 5, 200])
def test_signals_and_kernels_that_begin_elsewhere(begin: int) -> None:
    torch.manual_seed(0)
    taps = torch.zeros(400, dtype=double)
    taps[:40], taps[-30:] = torch.randn(40, dtype=double), torch.randn(30, dtype=double)

    def function(x: Tensor) -> Tensor:
        x = torch.nn.functional.pad(x, (begin, 400 - begin - x.shape[-1]))
        return torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(taps))[..., 100:300]

    assert is_right_angle(function, torch.randn(2, 150, dtype=double))


@pytest.mark.usefixtures("alone")
def test_a_filter_that_turns_round_the_end() -> None:
    taps = torch.randn(120, dtype=double)

    def function(x: Tensor) -> Tensor:
        return torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(taps), n=120)

    assert is_right_angle(function, torch.randn(2, 120, dtype=double))


def test_long_convolutions_of_many_channels_are_right_angle() -> None:
    taps = torch.randn(64, 1024, dtype=double)

    def function(x: Tensor) -> Tensor:
        z = torch.fft.rfft(x, n=2048) * torch.fft.rfft(taps, n=2048)
        return torch.fft.irfft(z, n=2048)[..., :1024]

    assert is_right_angle(function, torch.randn(1, 64, 1024, dtype=double))


def test_what_is_asked_for_before_the_signal_begins_is_none() -> None:
    taps = np.ones((1, 10))
    program = torch.export.export(torch.nn.Identity(), (torch.zeros(1, 50),))
    x = next(iter(program.graph.nodes))
    speed = speed_of("onnxruntime")
    assert right_angle.best_stages(Filter(x, (5, 55), (5, 55), taps, (0, 10), 1), speed)[1]
    assert not right_angle.best_stages(Filter(x, (5, 55), (4, 55), taps, (0, 10), 1), speed)[1]
    assert not right_angle.best_stages(Filter(x, (0, 10**6), (0, 1), taps, (0, 10), 1), speed)[1]
