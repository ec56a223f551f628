"""Small forms of the published networks that mix tokens or channels in the frequency domain.

Each is written the way its authors write it, with complex tensors, for it is what users export.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GlobalFilterBlock(nn.Module):
    """GFNet: multiply the spectrum of B x H x W x C tokens by a complex weight, then an MLP."""

    def __init__(self, height: int = 8, width: int = 6, channels: int = 12) -> None:
        super().__init__()
        bins = width // 2 + 1
        weight = 0.3 * torch.randn(height, bins, channels, dtype=torch.complex64)
        self.weight = nn.Parameter(weight)
        self.before, self.after = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(self.before(x), dim=(1, 2), norm="ortho") * self.weight
        mixed = torch.fft.irfft2(spectrum, s=x.shape[1:3], dim=(1, 2), norm="ortho")
        return x + self.mlp(self.after(mixed))


class AdaptiveFourierBlock(nn.Module):
    """AFNO: a complex, block-diagonal MLP with soft shrinkage on the spectrum."""

    def __init__(self, channels: int = 16, blocks: int = 4) -> None:
        super().__init__()
        size = channels // blocks
        self.blocks, self.size = blocks, size
        self.w1 = nn.Parameter(0.3 * torch.randn(2, blocks, size, size))
        self.b1 = nn.Parameter(0.3 * torch.randn(2, blocks, size))
        self.w2 = nn.Parameter(0.3 * torch.randn(blocks, size, size, dtype=torch.complex64))
        self.b2 = nn.Parameter(0.3 * torch.randn(blocks, size, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        z = torch.fft.rfft2(x, dim=(1, 2), norm="ortho")
        z = z.reshape(batch, height, width // 2 + 1, self.blocks, self.size)
        equation = "...bi,bio->...bo"
        real = F.relu(
            torch.einsum(equation, z.real, self.w1[0])
            - torch.einsum(equation, z.imag, self.w1[1])
            + self.b1[0]
        )
        imag = F.relu(
            torch.einsum(equation, z.imag, self.w1[0])
            + torch.einsum(equation, z.real, self.w1[1])
            + self.b1[1]
        )
        hidden = torch.complex(real, imag)
        z = torch.einsum(equation, hidden, self.w2) + self.b2
        z = torch.view_as_complex(F.softshrink(torch.view_as_real(z), lambd=0.01))
        z = z.reshape(batch, height, width // 2 + 1, channels)
        return x + torch.fft.irfft2(z, s=(height, width), dim=(1, 2), norm="ortho")


class FNetBlock(nn.Module):
    """FNet: the real part of the 2-D transform over tokens and features in place of attention."""

    def __init__(self, features: int = 12) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(features), nn.LayerNorm(features)
        self.mlp = nn.Sequential(nn.Linear(features, 24), nn.GELU(), nn.Linear(24, features))

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x + torch.fft.fft2(x, dim=(-2, -1)).real)
        return self.after(x + self.mlp(x))


class FastFourierConvolution(nn.Module):
    """LaMa: a convolution on the spectrum's real and imaginary channels, beside a local one."""

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.local = nn.Conv2d(channels, channels, 3, padding=1)
        self.spectral = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        z = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        stacked = torch.stack((z.real, z.imag), dim=-1).permute(0, 1, 4, 2, 3).contiguous()
        maps = stacked.view(batch, 2 * channels, height, width // 2 + 1)
        maps = F.relu(self.norm(self.spectral(maps)))
        parts = maps.view(batch, channels, 2, height, width // 2 + 1).permute(0, 1, 3, 4, 2)
        z = torch.complex(parts[..., 0], parts[..., 1])
        return self.local(x) + torch.fft.irfftn(z, s=(height, width), dim=(-2, -1), norm="ortho")


class Spectrogram(nn.Module):
    """An audio front end: the magnitude of the STFT on a logarithmic scale, then a convolution."""

    def __init__(self, window: int = 32, hop: int = 12) -> None:
        super().__init__()
        self.window_length, self.hop = window, hop
        self.register_buffer("window", torch.hann_window(window))
        self.convolution = nn.Conv2d(1, 4, 3, stride=2)

    def forward(self, signal: Tensor) -> Tensor:
        spectrum = torch.stft(
            signal, self.window_length, self.hop, window=self.window, return_complex=True
        )
        return self.convolution(torch.log1p(spectrum.abs()).unsqueeze(1))


# name: (network, shape of its input)
NETWORKS: dict[str, tuple[type[nn.Module], tuple[int, ...]]] = {
    "gfnet": (GlobalFilterBlock, (2, 8, 6, 12)),
    "afno": (AdaptiveFourierBlock, (2, 8, 6, 16)),
    "fnet": (FNetBlock, (2, 10, 12)),
    "lama": (FastFourierConvolution, (2, 6, 8, 10)),
    "stft": (Spectrogram, (2, 200)),
}


def make(name: str) -> tuple[nn.Module, Tensor]:
    """Return a network of the table in evaluation mode, and an input, the same at every call."""
    network, shape = NETWORKS[name]
    torch.manual_seed(0)
    model = network().eval()
    return model, torch.randn(*shape)
