"""Forecasters of series, written after their papers: no package holds them alone."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.public_networks.registry import Built, Calling, network

PAPER = "after its paper"


class Interpolation(nn.Module):
    """FITS: a complex matrix from the low frequencies of a series to those of a longer one."""

    def __init__(self, low: int, high: int, length: int) -> None:
        super().__init__()
        self.linear = nn.Linear(low, high, dtype=torch.complex64)
        self.low, self.high, self.length = low, high, length

    def forward(self, x: Tensor) -> Tensor:
        """Return batch x ``length`` x series for batch x time x series."""
        mean = x.mean(1, keepdim=True)
        scale = ((x - mean).var(1, keepdim=True) + 1e-5).sqrt()
        spectrum = torch.fft.rfft((x - mean) / scale, dim=1)[:, : self.low]
        wide = spectrum.new_zeros(x.shape[0], self.length // 2 + 1, x.shape[2])
        wide[:, : self.high] = self.linear(spectrum.mT).mT
        longer = torch.fft.irfft(wide, dim=1) * (self.length / x.shape[1])
        return longer * scale + mean


@network("FITS", PAPER)
def interpolation() -> Built:
    """Xu, Zeng, Xu 2024."""
    return Interpolation(20, 30, 144), torch.randn(1, 96, 3)


class FrequencyPerceptron(nn.Module):
    """FreTS: a complex perceptron of the spectrum, by its matrices' diagonals."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.real, self.imag = (nn.Parameter(torch.randn(channels, channels) / 50) for _ in "ri")
        self.bias_real, self.bias_imag = (nn.Parameter(torch.randn(channels)) for _ in "ri")
        self.embedding = nn.Parameter(torch.randn(1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return batch x series x time x channels for batch x time x series."""
        x = x.mT.unsqueeze(-1) * self.embedding
        z = torch.fft.rfft(x, dim=2, norm="ortho")

        def scaled(part: Tensor, matrix: Tensor) -> Tensor:
            return torch.einsum("bijd,dd->bijd", part, matrix)

        real = scaled(z.real, self.real) - scaled(z.imag, self.imag) + self.bias_real
        imag = scaled(z.imag, self.real) + scaled(z.real, self.imag) + self.bias_imag
        shrunk = F.softshrink(torch.stack((real.relu(), imag.relu()), -1), 0.01)
        z = torch.view_as_complex(shrunk)
        return torch.fft.irfft(z, n=x.shape[2], dim=2, norm="ortho")


@network("FreTS", PAPER)
def frequency_perceptron() -> Built:
    """Yi, Zhang, Fan, Wang, Wang, He, An, Lian, Cao, Niu 2023."""
    return FrequencyPerceptron(8), torch.randn(1, 24, 3)


class AdaptiveSpectrum(nn.Module):
    """TSLANet's: one filter of all frequencies, another of those stronger than the median."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.all, self.strong = (nn.Parameter(torch.randn(channels, 2) / 50) for _ in "as")
        self.threshold = nn.Parameter(torch.rand(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return batch x time x channels, of the shape of ``x``."""
        z = torch.fft.rfft(x, dim=1, norm="ortho")
        energy = z.abs().square().sum(-1)
        relative = energy / (energy.median(dim=1, keepdim=True).values + 1e-6)
        strong = (relative > self.threshold).float().unsqueeze(-1)
        z = z * (torch.view_as_complex(self.all) + strong * torch.view_as_complex(self.strong))
        return torch.fft.irfft(z, n=x.shape[1], dim=1, norm="ortho")


@network("TSLANet's adaptive block", PAPER)
def adaptive_spectrum() -> Built:
    """Eldele, Ragab, Chen, Wu, Li 2024."""
    return AdaptiveSpectrum(8), torch.randn(1, 32, 8)


class Periods(nn.Module):
    """TimesNet's: convolutions of a series folded by the strongest periods of this very input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return batch x time x channels, of the shape of ``x``."""
        length = x.shape[1]
        strength = torch.fft.rfft(x, dim=1).abs().mean((0, 2))[1:]
        outputs = []
        for index in strength.topk(2).indices.tolist():
            period = length // (index + 1)
            rows = -(-length // period)
            padded = F.pad(x, (0, 0, 0, rows * period - length))
            folded = padded.unflatten(1, (rows, period)).permute(0, 3, 1, 2)
            outputs.append(self.convolution(folded).flatten(2).mT[:, :length])
        return torch.stack(outputs).mean(0)


@network("TimesNet's block", PAPER)
def periods() -> Built:
    """Wu, Hu, Liu, Zhou, Wang, Long 2023.  Its shapes depend on values: it is refused."""
    return Periods(4), torch.randn(1, 48, 4)


@network("ETSformer's Fourier layer", PAPER)
def strongest_waves() -> Built:
    """Woo, Liu, Sahoo, Kumar, Hoi 2022: a series goes on as its three strongest waves."""

    def continued(x: Tensor) -> Tensor:
        length = x.shape[1]
        z = torch.fft.rfft(x, dim=1)[:, 1:-1]
        places = z.abs().topk(3, dim=1).indices
        z, frequencies = z.gather(1, places), torch.fft.rfftfreq(length)[1:-1][places]
        times = torch.arange(length + 8)[:, None]
        phases = 2 * math.pi * frequencies.unsqueeze(2) * times + z.angle().unsqueeze(2)
        return (2 / length * z.abs().unsqueeze(2) * phases.cos()).sum(1)

    return Calling(continued), torch.randn(1, 32, 3)


@network("Autoformer's auto-correlation", PAPER)
def auto_correlation() -> Built:
    """Wu, Xu, Wang, Long 2021: values at the three delays of the strongest correlation."""

    def attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        length = query.shape[-1]
        spectrum = torch.fft.rfft(query) * torch.fft.rfft(key).conj()
        weights, delays = torch.fft.irfft(spectrum, n=length).mean((1, 2)).topk(3)
        places = torch.arange(length) + delays[..., None]
        picked = value.repeat(1, 1, 1, 2).unsqueeze(1)[..., places[0]]
        return (picked.squeeze(1) * weights.softmax(-1).T).sum(-2)

    return Calling(attended), tuple(torch.randn(1, 2, 4, 24) for _ in range(3))
