"""Which modules of a network of the user's own are put into 8 bits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from affnet.export.quantization.own_layers import quantized_modules
from affnet.model.source import load_source
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.networks.quantized_networks import Keyword

pytestmark = THIRD_PARTY_WARNINGS


class Spectral(nn.Module):
    """A layer that multiplies a spectrum by weights, and a linear one."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 16))
        self.mixer = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(x, dim=1).abs()
        return self.mixer(x) + torch.fft.irfft(spectrum @ self.weight, 16, dim=1)


class Complex(nn.Module):
    """A product by complex weights: the transform that it stands behind is another module's."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(9, 9, dtype=torch.complex64))

    def forward(self, spectrum: Tensor) -> Tensor:
        return (spectrum @ self.weight).abs()


class Rotation(nn.Module):
    """A product by real weights, and one of complex numbers that no transform made here."""

    def __init__(self) -> None:
        super().__init__()
        self.angles = nn.Parameter(torch.randn(16, 16))

    def forward(self, x: Tensor) -> Tensor:
        angles = x @ self.angles
        return (torch.polar(torch.ones_like(angles), angles) * x).real


class Transform(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x)


class Wide(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.double()


class Norm(nn.Module):
    """A norm written by hand: products, but by no matrix of weights."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(16))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * self.scale


class Residual(nn.Module):
    """A sum of what layers gave."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.one(x)) + self.other(x)


class Projection(nn.Module):
    """A product by a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(16, 16))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.matrix.transpose(0, 1)


def modules(network: nn.Module, *given: Tensor) -> set[str]:
    return set(quantized_modules(torch.export.export(network.eval(), given)))


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Spectral(), {"mixer"}),
        (nn.Sequential(Spectral(), Norm(), Projection()), {"0.mixer", "2"}),
        (nn.Sequential(Residual(), Norm()), {"0.one", "0.other", "0"}),
        (nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Softmax(-1)), {"0", "1"}),
        (nn.Sequential(nn.ReLU(), nn.Linear(16, 16)), {"1"}),
        (nn.Sequential(Transform(), Complex(), nn.Linear(9, 9)), {"2"}),
        (nn.Sequential(Rotation(), nn.Linear(16, 16)), {"1"}),
        (Norm(), set()),
        (nn.Sequential(nn.Linear(16, 16), Wide(), nn.Linear(16, 16).double()), {"0"}),
    ],
)
def test_what_multiplies_by_weights_and_transforms_nothing(
    network: nn.Module, expected: set[str]
) -> None:
    assert modules(network, torch.randn(2, 16, 16)) == expected


def test_spectrograms_stay() -> None:
    expected = {"features.0", "features.1", "features.2", "classifier"}
    assert modules(Keyword(), torch.randn(1, 400), torch.ones(1, 1, 1)) == expected


def test_a_recording_knows_its_modules() -> None:
    source = load_source("tests.networks.quantized_networks:recorded")
    assert source.captured["by"] == "recording"
    assert source.program is not None
    layers = {f"block.{one}.block.{other}" for one in range(2) for other in range(4)}
    assert quantized_modules(source.program) == layers | {"last", "layers.0"}
