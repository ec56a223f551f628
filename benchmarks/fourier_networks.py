"""The networks of `any_network.py`: small replicas of public ones, whose time is in transforms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Build = Callable[[], nn.Module]


class SpectralConv(nn.Module):
    """neuralop's: a matrix of channels for each mode, at both ends of all axes but the last."""

    def __init__(self, channels: int, modes: tuple[int, ...]) -> None:
        super().__init__()
        self.modes, shape = modes, (channels, channels, *modes)
        self.corners = list(product((False, True), repeat=len(modes) - 1))
        self.weights = nn.ParameterList(
            torch.randn(shape, dtype=torch.complex64) / channels for _ in self.corners
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the size of ``x``."""
        axes = "xyz"[: len(self.modes)]
        dims = tuple(range(-len(axes), 0))
        spectrum = torch.fft.rfftn(x, dim=dims)
        out = torch.zeros(spectrum.shape, dtype=spectrum.dtype)
        for corner, weight in zip(self.corners, self.weights, strict=True):
            ends = [
                slice(-kept, None) if at_end else slice(kept)
                for kept, at_end in zip(self.modes, (*corner, False), strict=True)
            ]
            box = (slice(None), slice(None), *ends)
            out[box] = torch.einsum(f"bi{axes},io{axes}->bo{axes}", spectrum[box], weight)
        return torch.fft.irfftn(out, s=x.shape[-len(axes) :], dim=dims)


class FNO(nn.Module):
    """Fourier neural operator of four layers, each with a skip and a channel MLP."""

    def __init__(self, channels: int, modes: tuple[int, ...], layers: int = 4) -> None:
        super().__init__()
        conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(modes) - 1]
        hidden = 2 * channels
        self.lifting = nn.Sequential(conv(1, hidden, 1), nn.GELU(), conv(hidden, channels, 1))
        self.projection = nn.Sequential(conv(channels, hidden, 1), nn.GELU(), conv(hidden, 1, 1))
        self.spectral = nn.ModuleList(SpectralConv(channels, modes) for _ in range(layers))
        self.skips = nn.ModuleList(conv(channels, channels, 1) for _ in range(layers))
        self.mlps = nn.ModuleList(
            nn.Sequential(
                conv(channels, channels // 2, 1), nn.GELU(), conv(channels // 2, channels, 1)
            )
            for _ in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map one channel to one."""
        x = self.lifting(x)
        for spectral, skip, mlp in zip(self.spectral, self.skips, self.mlps, strict=True):
            x = mlp(F.gelu(spectral(x) + skip(x))) + x
        return self.projection(x)


class UNO(nn.Module):
    """A U of spectral layers: half the resolution inside, joined at its end."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.lifting = nn.Conv2d(1, channels, 1)
        self.down = SpectralConv(channels, (8, 5))
        self.inside = nn.ModuleList(SpectralConv(channels, (4, 3)) for _ in range(2))
        self.up = SpectralConv(channels, (4, 5))
        self.projection = nn.Conv2d(2 * channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map one channel to one."""
        first = F.gelu(self.down(self.lifting(x)))
        y = F.interpolate(first, scale_factor=0.5, mode="bilinear")
        for layer in self.inside:
            y = F.gelu(layer(y)) + y
        y = self.up(F.interpolate(y, scale_factor=2.0, mode="bilinear"))
        return self.projection(torch.cat((first, y), 1))


class AFNO(nn.Module):
    """FourCastNet's mixer: a two-layer network on blocks of channels of each frequency."""

    def __init__(self, channels: int = 384, blocks: int = 8) -> None:
        super().__init__()
        self.blocks, size = blocks, channels // blocks
        self.first = nn.Parameter(0.02 * torch.randn(2, blocks, size, size))
        self.second = nn.Parameter(0.02 * torch.randn(2, blocks, size, size))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x H x W x C to the same."""
        batch, height, width, channels = x.shape
        z = torch.fft.rfft2(x, dim=(1, 2), norm="ortho")
        bins = z.shape[2]
        z = z.reshape(batch, height, bins, self.blocks, -1)

        def mixed(a: Tensor, weight: Tensor) -> Tensor:
            return torch.einsum("...bi,bio->...bo", a, weight)

        real, imag = torch.zeros_like(z.real), torch.zeros_like(z.real)
        w = self.first
        real[:, :, :bins] = F.relu(mixed(z.real, w[0]) - mixed(z.imag, w[1]))
        imag[:, :, :bins] = F.relu(mixed(z.imag, w[0]) + mixed(z.real, w[1]))
        w = self.second
        pair = mixed(real, w[0]) - mixed(imag, w[1]), mixed(imag, w[0]) + mixed(real, w[1])
        z = torch.view_as_complex(F.softshrink(torch.stack(pair, -1), 0.01))
        z = z.reshape(batch, height, bins, channels)
        return torch.fft.irfft2(z, s=(height, width), dim=(1, 2), norm="ortho") + x


class FNet(nn.Module):
    """An encoder layer whose mixer is a transform over words and features."""

    def __init__(self, features: int = 768) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(features) for _ in range(2))
        self.mlp = nn.Sequential(
            nn.Linear(features, 4 * features), nn.GELU(), nn.Linear(4 * features, features)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x words x features to the same."""
        x = self.norms[0](x + torch.fft.fftn(x, dim=(1, 2)).real)
        return self.norms[1](x + self.mlp(x))


class Spectrogram(nn.Module):
    """Moduli of an STFT, or the logarithm of ``mels`` bands of their squares."""

    def __init__(self, length: int, hop: int, mels: int = 0) -> None:
        super().__init__()
        self.length, self.hop = length, hop
        self.register_buffer("window", torch.hann_window(length))
        self.register_buffer("bands", torch.rand(mels, length // 2 + 1) if mels else None)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x samples to B x bins or bands x frames."""
        z = torch.stft(x, self.length, self.hop, window=self.window, return_complex=True).abs()
        return z if self.bands is None else (self.bands @ z**2).clamp(min=1e-10).log10()


class LongConvolution(nn.Module):
    """A causal convolution with a kernel of any length, by transforms of ``length``."""

    def __init__(self, channels: int, kernel: int, length: int) -> None:
        super().__init__()
        self.length, self.kernel = length, nn.Parameter(torch.randn(channels, kernel) / 50)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x samples to the same."""
        z = torch.fft.rfft(x, n=self.length) * torch.fft.rfft(self.kernel, n=self.length)
        return torch.fft.irfft(z, n=self.length)[..., : x.shape[-1]]


class CQT(nn.Module):
    """Bands of one long spectrum, each windowed and brought back by a short inverse transform."""

    def __init__(self, bands: int = 84, width: int = 118) -> None:
        super().__init__()
        starts = torch.tensor([int(20 * 2 ** (band * 0.55 / 12)) for band in range(bands)])
        self.register_buffer("bins", starts[:, None] + torch.arange(width))
        self.register_buffer("window", torch.hann_window(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x samples to B x C x bands x width."""
        return torch.fft.ifft(torch.fft.fft(x)[..., self.bins] * self.window).abs()


def legendre(degrees: int, orders: int, cosines: Tensor) -> Tensor:
    """Return the normalized associated Legendre functions, orders x degrees x points."""
    values = torch.zeros(orders, degrees, len(cosines), dtype=torch.float64)
    sines = (1 - cosines**2).sqrt()
    values[0, 0] = (4 * torch.pi) ** -0.5
    for m in range(1, min(orders, degrees)):
        values[m, m] = -sines * (1 + 0.5 / m) ** 0.5 * values[m - 1, m - 1]
    for degree in range(1, degrees):
        for m in range(min(orders, degree)):
            scale = ((4 * degree**2 - 1) / (degree**2 - m**2)) ** 0.5
            below = values[m, degree - 2] if degree > 1 else 0.0
            before = ((degree - 1) ** 2 - m**2) / (4 * (degree - 1) ** 2 - 1) if degree > 1 else 0
            values[m, degree] = scale * (cosines * values[m, degree - 1] - before**0.5 * below)
    return values.float()


class SphericalConv(nn.Module):
    """torch-harmonics': a matrix of channels for each degree of spherical harmonics."""

    def __init__(self, channels: int, rows: int, degrees: int) -> None:
        super().__init__()
        nodes, weights = map(torch.from_numpy, np.polynomial.legendre.leggauss(rows))
        functions = legendre(degrees, degrees, nodes)
        self.register_buffer("analysis", 2 * torch.pi * functions * weights.float())
        self.register_buffer("synthesis", functions)
        shape = channels, channels, degrees
        self.weight = nn.Parameter(torch.randn(shape, dtype=torch.complex64) / channels)

    def _along_meridians(self, equation: str, z: Tensor, functions: Tensor) -> Tensor:
        parts = (torch.einsum(equation, part, functions) for part in (z.real, z.imag))
        return torch.complex(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the size of ``x``, of as many rows as there are Gaussian latitudes."""
        z = torch.fft.rfft(x, norm="forward")[..., : self.analysis.shape[0]]
        z = self._along_meridians("bckm,mlk->bclm", z, self.analysis)
        z = torch.einsum("bilm,iol->bolm", z, self.weight)
        z = self._along_meridians("bclm,mlk->bckm", z, self.synthesis)
        return torch.fft.irfft(z, n=x.shape[-1], norm="forward")


class SFNO(nn.Module):
    """Spherical Fourier neural operator of four layers, each with a skip and a channel MLP."""

    def __init__(self, channels: int = 32, rows: int = 64, degrees: int = 32) -> None:
        super().__init__()
        self.lifting, self.projection = nn.Conv2d(3, channels, 1), nn.Conv2d(channels, 3, 1)
        layers = range(4)
        self.spherical = nn.ModuleList(SphericalConv(channels, rows, degrees) for _ in layers)
        self.norms = nn.ModuleList(nn.InstanceNorm2d(channels, affine=True) for _ in layers)
        self.mlps = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, 2 * channels, 1),
                nn.GELU(),
                nn.Conv2d(2 * channels, channels, 1),
            )
            for _ in layers
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map three fields on the sphere to three."""
        x = self.lifting(x)
        for spherical, norm, mlp in zip(self.spherical, self.norms, self.mlps, strict=True):
            x = x + mlp(F.gelu(spherical(norm(x))))
        return self.projection(x)


#: Name, network, input, and the goal of file over eager PyTorch.
NETWORKS: dict[str, tuple[Build, tuple[int, ...], float]] = {
    "FNO 1-d 1024": (lambda: FNO(64, (9,)), (1, 1, 1024), 0.8),
    "FNO 2-d 128": (lambda: FNO(32, (8, 9)), (1, 1, 128, 128), 0.9),
    "FNO 3-d 32": (lambda: FNO(16, (4, 4, 5)), (1, 1, 32, 32, 32), 0.9),
    "UNO 64": (UNO, (1, 1, 64, 64), 1.0),
    "SFNO 64 x 128": (SFNO, (1, 3, 64, 128), 1.0),
    "AFNO 14": (AFNO, (1, 14, 14, 384), 1.0),
    "FNet 512 x 768": (FNet, (1, 512, 768), 1.0),
    "log-mel 2048": (lambda: Spectrogram(2048, 512, 128), (1, 88_200), 1.2),
    "Whisper's 400": (lambda: Spectrogram(400, 160, 80), (1, 480_000), 1.0),
    "STFT 4096": (lambda: Spectrogram(4096, 1024), (2, 176_400), 1.5),
    "convolution 5120": (lambda: LongConvolution(4, 1025, 5120), (1, 4, 4096), 2.0),
    "Hyena 1024": (lambda: LongConvolution(64, 1024, 2048), (1, 64, 1024), 2.0),
    "CQT 4096": (CQT, (2, 1, 4096), 2.5),
}
