"""Layers for sequences and series, written after their papers: no package holds them alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from benchmarks.public_networks.registry import Built, Calling, network

PAPER = "after its paper"


def long_convolution(x: Tensor, kernel: Tensor) -> Tensor:
    """Return the causal convolution of two signals of one length, by Fourier transforms."""
    length = x.shape[-1]
    product = torch.fft.rfft(x, n=2 * length) * torch.fft.rfft(kernel, n=2 * length)
    return torch.fft.irfft(product, n=2 * length)[..., :length]


class Hyena(nn.Module):
    """Gates around a convolution whose kernel a perceptron makes of positions."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        wide = 3 * channels
        self.before, self.after = nn.Linear(channels, wide), nn.Linear(channels, channels)
        self.short = nn.Conv1d(wide, wide, 3, padding=2, groups=wide)
        self.kernel = nn.Sequential(nn.Linear(5, 16), nn.SiLU(), nn.Linear(16, channels))
        self.skip = nn.Parameter(torch.randn(channels, 1))
        times = torch.linspace(0, 1, length)[:, None]
        waves = torch.exp(-2j * math.pi * times * torch.linspace(1e-4, 3, 4)).real
        self.register_buffer("positions", torch.cat([times, waves], 1))
        self.register_buffer("decay", torch.exp(-times * torch.linspace(1, 10, channels)))

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens, batch x length x channels, of the same shape."""
        gates = self.short(self.before(x).transpose(1, 2))[..., : x.shape[1]]
        a, b, c = gates.chunk(3, 1)
        kernel = (self.kernel(self.positions) * self.decay).T
        return self.after((a * (long_convolution(b * c, kernel) + b * c * self.skip)).mT)


@network("Hyena operator", PAPER)
def hyena() -> Built:
    """Poli, Massaroli, Nguyen, Fu, Dao, Baccus, Bengio, Ermon, Ré 2023."""
    return Hyena(8, 128), torch.randn(1, 128, 8)


class DiagonalStateSpace(nn.Module):
    """S4D: a convolution by sums of damped waves."""

    def __init__(self, channels: int, states: int) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.randn(channels, 1) / 2 - 4)
        self.damping = nn.Parameter(torch.full((channels, states), 0.5).log())
        self.frequency = nn.Parameter(math.pi * torch.arange(states).repeat(channels, 1).float())
        self.weight = nn.Parameter(torch.randn(channels, states, 2))
        self.skip = nn.Parameter(torch.randn(channels, 1))
        self.after = nn.Sequential(nn.GELU(), nn.Conv1d(channels, 2 * channels, 1), nn.GLU(-2))

    def forward(self, x: Tensor) -> Tensor:
        """Return signals, batch x channels x length, of the same shape."""
        poles = -self.damping.exp() + 1j * self.frequency
        stepped = poles * self.step.exp()
        weight = torch.view_as_complex(self.weight) * (stepped.exp() - 1) / poles
        waves = torch.exp(stepped.unsqueeze(-1) * torch.arange(x.shape[-1]))
        kernel = 2 * torch.einsum("cs,csl->cl", weight, waves).real
        return self.after(long_convolution(x, kernel) + x * self.skip)


@network("S4D", PAPER)
def diagonal_state_space() -> Built:
    """Gu, Gupta, Goel, Ré 2022."""
    return DiagonalStateSpace(8, 8), torch.randn(1, 8, 100)


class StateSpace(nn.Module):
    """S4: the generating function of a diagonal plus low-rank state matrix, by Cauchy sums."""

    def __init__(self, states: int, length: int) -> None:
        super().__init__()
        frequencies = math.pi * torch.arange(states).float()
        self.poles = nn.Parameter(torch.complex(torch.full((states,), -0.5), frequencies))
        self.p, self.b, self.c = (
            nn.Parameter(torch.randn(states, dtype=torch.complex64)) for _ in "pbc"
        )
        self.length = length

    def forward(self, x: Tensor) -> Tensor:
        """Return signals of the length of ``x``."""
        roots = torch.exp(-2j * math.pi * torch.arange(self.length) / self.length)
        divided = 1 / (1 + roots + 1e-3)
        apart = (20 * (1 - roots) * divided).unsqueeze(-1) - self.poles

        def cauchy(left: Tensor, right: Tensor) -> Tensor:
            return (left.conj() * right / apart).sum(-1)

        low_rank = cauchy(self.c, self.p) * cauchy(self.p, self.b) / (1 + cauchy(self.p, self.p))
        kernel = torch.fft.ifft(2 * divided * (cauchy(self.c, self.b) - low_rank)).real
        return long_convolution(x, kernel)


@network("S4", PAPER)
def state_space() -> Built:
    """Gu, Goel, Ré 2022."""
    return StateSpace(8, 64), torch.randn(1, 3, 64)


class FourierMixing(nn.Module):
    """A block of FNet: the real part of a transform of tokens and channels, and a perceptron."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens, batch x length x channels, of the same shape."""
        x = self.first(x + torch.fft.fft2(x).real)
        return self.second(x + self.mlp(x))


@network("blocks of FNet, 33 tokens", PAPER)
def fourier_mixing() -> Built:
    """Lee-Thorp, Ainslie, Eckstein, Ontanon 2022."""
    return nn.Sequential(FourierMixing(48), FourierMixing(48)), torch.randn(1, 33, 48)


class FrequencyBlock(nn.Module):
    """FEDformer's: a matrix of channels for each of some frequencies, the others zero."""

    def __init__(self, frequencies: tuple[int, ...], heads: int, channels: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        shape = heads, channels, channels, len(frequencies)
        self.weight = nn.Parameter(torch.rand(shape, dtype=torch.complex64) / 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return batch x heads x channels x length for batch x length x heads x channels."""
        spectrum = torch.fft.rfft(x.permute(0, 2, 3, 1))
        out = torch.zeros_like(spectrum)
        for place, index in enumerate(self.frequencies):
            weight = self.weight[..., place]
            out[..., index] = torch.einsum("bhi,hio->bho", spectrum[..., index], weight)
        return torch.fft.irfft(out, n=x.shape[1])


@network("FEDformer's Fourier block", PAPER)
def frequency_block() -> Built:
    """Zhou, Ma, Wen, Wang, Sun, Jin 2022."""
    return FrequencyBlock((0, 3, 7, 9), 2, 8), torch.randn(1, 48, 2, 8)


@network("FEDformer's cross attention", PAPER)
def frequency_attention() -> Built:
    """Zhou, Ma, Wen, Wang, Sun, Jin 2022."""
    picked = torch.tensor([0, 1, 5, 6])

    def attended(query: Tensor, key: Tensor) -> Tensor:
        q, k = (torch.fft.rfft(x.permute(0, 2, 3, 1))[..., picked] for x in (query, key))
        weights = torch.einsum("bhex,bhey->bhxy", q, k).tanh()
        out = q.new_zeros(*q.shape[:3], query.shape[1] // 2 + 1)
        out[..., picked] = torch.einsum("bhxy,bhey->bhex", weights, k)
        return torch.fft.irfft(out / 64, n=query.shape[1])

    return Calling(attended), (torch.randn(1, 32, 2, 8), torch.randn(1, 32, 2, 8))


class LowFrequencies(nn.Module):
    """FiLM's: a matrix of channels for each of the lowest frequencies."""

    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        shape = channels, channels, modes
        self.real = nn.Parameter(torch.rand(shape) / 36)
        self.imag = nn.Parameter(torch.rand(shape) / 36)

    def forward(self, x: Tensor) -> Tensor:
        """Return batch x series x channels x length, of the shape of ``x``."""
        spectrum, modes = torch.fft.rfft(x), self.real.shape[-1]
        weight = torch.view_as_complex(torch.stack((self.real, self.imag), -1))
        out = torch.zeros_like(spectrum)
        out[..., :modes] = torch.einsum("bsim,iom->bsom", spectrum[..., :modes], weight)
        return torch.fft.irfft(out, n=x.shape[-1])


@network("FiLM's spectral layer", PAPER)
def low_frequencies() -> Built:
    """Zhou, Ma, Wang, Wen, Sun, Yao, Yin, Jin 2022."""
    return LowFrequencies(6, 8), torch.randn(1, 3, 6, 40)
