"""Layers for images, written after their papers: no package holds them alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.public_networks.registry import Built, Calling, network

PAPER, USERS = "after its paper", "as users write it"


class FourierUnit(nn.Module):
    """A 1 x 1 convolution of spectra, real and imaginary parts as channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.mixed = nn.Sequential(
            nn.Conv2d(wide, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the size of ``x``."""
        batch, channels, height, width = x.shape
        z = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        parts = torch.stack((z.real, z.imag), dim=2).flatten(1, 2)
        parts = self.mixed(parts).reshape(batch, channels, 2, *z.shape[2:])
        z = torch.complex(parts[:, :, 0], parts[:, :, 1])
        return torch.fft.irfftn(z, s=(height, width), dim=(-2, -1), norm="ortho")


class SpectralTransform(nn.Module):
    """The global branch of a fast Fourier convolution: of the map, and of its four quarters."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.before = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU()
        )
        self.whole, self.quarters = FourierUnit(inner), FourierUnit(inner)
        self.after = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the size of ``x``."""
        x = self.before(x)
        channels, height, width = x.shape[1:]
        rows = torch.cat(x[:, : channels // 4].split(height // 2, dim=-2), 1)
        quarters = self.quarters(torch.cat(rows.split(width // 2, dim=-1), 1)).repeat(1, 1, 2, 2)
        return self.after(x + self.whole(x) + quarters)


@network("LaMa's FFC, 32 x 32", PAPER)
def fourier_convolution() -> Built:
    """Fast Fourier convolution (Chi, Jiang, Mu 2020) as LaMa has it."""
    return SpectralTransform(32), torch.randn(1, 32, 32, 32)


class GlobalFilter(nn.Module):
    """A learned filter of the spectrum of a map of tokens."""

    def __init__(self, side: int, channels: int) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(channels), nn.Linear(channels, channels)
        self.filter = nn.Parameter(torch.randn(side, side // 2 + 1, channels, 2) / 50)
        self.side = side

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens, batch x side^2 x channels, of the same shape."""
        maps = self.norm(tokens).unflatten(1, (self.side, self.side))
        spectrum = torch.fft.rfft2(maps, dim=(1, 2), norm="ortho")
        spectrum = spectrum * torch.view_as_complex(self.filter)
        maps = torch.fft.irfft2(spectrum, s=(self.side, self.side), dim=(1, 2), norm="ortho")
        return tokens + self.linear(F.gelu(maps.flatten(1, 2)))


@network("GFNet's global filters", PAPER)
def global_filters() -> Built:
    """Rao, Zhao, Zhu, Lu, Zhou 2021."""
    return nn.Sequential(GlobalFilter(14, 32), GlobalFilter(14, 32)), torch.randn(1, 196, 32)


class AdaptiveMixer(nn.Module):
    """Block-diagonal perceptrons of the low frequencies of tokens, the others cut."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks, inner = blocks, channels // blocks
        self.first = nn.Parameter(torch.randn(2, blocks, inner, inner) / 10)
        self.second = nn.Parameter(torch.randn(2, blocks, inner, inner) / 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens, batch x height x width x channels, of the same shape."""
        height, width = x.shape[1:3]
        spectrum = torch.fft.rfft2(x, dim=(1, 2), norm="ortho").unflatten(-1, (self.blocks, -1))
        real, imag = torch.zeros_like(spectrum.real), torch.zeros_like(spectrum.real)
        low = (slice(None), slice(3, height - 3), slice(None, width // 4))
        first = torch.complex(*self.first)
        hidden = torch.einsum("bhwgi,gio->bhwgo", spectrum[low], first)
        hidden = torch.complex(F.relu(hidden.real), F.relu(hidden.imag))
        mixed = torch.einsum("bhwgi,gio->bhwgo", hidden, torch.complex(*self.second))
        real[low], imag[low] = mixed.real, mixed.imag
        shrunk = F.softshrink(torch.stack((real, imag), -1), 0.01)
        z = torch.view_as_complex(shrunk).flatten(-2)
        return torch.fft.irfft2(z, s=(height, width), dim=(1, 2), norm="ortho") + x


@network("AFNO's mixer", PAPER)
def adaptive_mixer() -> Built:
    """Guibas, Mardani, Li, Tao, Anandkumar, Catanzaro 2022."""
    return AdaptiveMixer(16, 4), torch.randn(1, 12, 24, 16)


class WienerFilter(nn.Module):
    """Deconvolution by a learned kernel and a learned ratio of noise."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(7, 7) / 49)
        self.noise = nn.Parameter(torch.tensor(-2.0))

    def forward(self, x: Tensor) -> Tensor:
        """Return images of the size of ``x``, 32 x 32."""
        padded = F.pad(self.kernel, (14, 11, 14, 11))
        kernel = torch.fft.fft2(torch.fft.ifftshift(padded))
        inverse = kernel.conj() / (kernel.abs() ** 2 + self.noise.exp())
        return torch.fft.ifft2(torch.fft.fft2(x) * inverse).real


@network("Wiener filter, learned", USERS)
def wiener_filter() -> Built:
    return WienerFilter(), torch.randn(1, 3, 32, 32)


@network("Fourier domain adaptation", PAPER)
def domain_adaptation() -> Built:
    """Yang, Soatto 2020: the low amplitudes of another image."""

    def adapted(x: Tensor, style: Tensor) -> Tensor:
        z, other = torch.fft.rfft2(x), torch.fft.rfft2(style).abs()
        amplitudes, phases = z.abs(), z.angle()
        amplitudes[:, :, :3, :3] = other[:, :, :3, :3]
        amplitudes[:, :, -3:, :3] = other[:, :, -3:, :3]
        return torch.fft.irfft2(torch.polar(amplitudes, phases), s=x.shape[-2:])

    return Calling(adapted), (torch.randn(1, 3, 24, 24), torch.randn(1, 3, 24, 24))


class SpectrallyNormalized(nn.Module):
    """A circular convolution over the largest singular value of its spectrum."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the size of ``x``, 12 x 12."""
        spectrum = torch.fft.fft2(self.weight, s=(12, 12)).permute(2, 3, 0, 1)
        norm = torch.linalg.svdvals(spectrum).amax()
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), self.weight / norm)


@network("convolution of spectral norm", USERS)
def spectral_norm() -> Built:
    return SpectrallyNormalized(), torch.randn(1, 4, 12, 12)


@network("phase correlation, soft maximum", USERS)
def phase_correlation() -> Built:
    places = torch.arange(16.0) - 8

    def shifts(a: Tensor, b: Tensor) -> Tensor:
        cross = torch.fft.fft2(a) * torch.fft.fft2(b).conj()
        peaks = torch.fft.ifft2(cross / (cross.abs() + 1e-3)).real
        peaks = torch.fft.fftshift(peaks, dim=(-2, -1))
        weights = (peaks * 20).flatten(1).softmax(-1).view(-1, 16, 16)
        return torch.stack([(weights.sum(axis) * places).sum(1) for axis in (2, 1)], 1)

    return Calling(shifts), (torch.randn(1, 16, 16), torch.randn(1, 16, 16))


@network("MRI, data consistency", USERS)
def data_consistency() -> Built:
    layers = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1))

    def image(samples: Tensor, measured: Tensor) -> Tensor:
        samples = torch.view_as_complex(samples)
        x = torch.view_as_real(torch.fft.ifft2(samples, norm="ortho")).permute(0, 3, 1, 2)
        x = (x + layers(x)).permute(0, 2, 3, 1).contiguous()
        guess = torch.fft.fft2(torch.view_as_complex(x), norm="ortho")
        guess = torch.where(measured.bool(), samples, guess)
        return torch.fft.ifft2(guess, norm="ortho").abs()

    mask = (torch.rand(1, 1, 24) > 0.5).float()
    return Calling(image, layers), (torch.randn(1, 24, 24, 2), mask)
