"""A network that is worth 8 bits: convolutions over a spectrogram."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Keyword(nn.Module):
    """Scores of the frames of a signal, of which a gain changes the magnitudes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(64))
        self.features = nn.Sequential(nn.Conv1d(33, 16, 3), nn.ReLU(), nn.Conv1d(16, 8, 3))
        self.classifier = nn.Linear(8, 4)

    def forward(self, signal: Tensor, gain: Tensor) -> Tensor:
        """Return B x frames x 4."""
        spectra = torch.stft(signal, 64, 32, window=self.window, return_complex=True)
        features = self.features(torch.log(spectra.abs() * gain + 0.1))
        return self.classifier(features.transpose(1, 2))


def keyword() -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    return Keyword(), (torch.randn(1, 400), torch.ones(1, 1, 1))


class Blocks(nn.Module):
    """A vocoder: norms, sums, weights by norm, and a cache that torch.export refuses."""

    def __init__(self, reads: bool = False) -> None:
        super().__init__()
        self.reads = reads  # a number by NumPy, which torch.export does not take
        self.cache: dict[int, Tensor] = {}
        self.layers = nn.ModuleList([nn.Conv1d(16, 16, 3, padding=1)])
        self.block = nn.ModuleList(_Residual() for _ in range(2))
        self.last = nn.utils.parametrizations.weight_norm(nn.Conv1d(16, 34, 1, bias=False))

    def forward(self, signal: Tensor) -> Tensor:
        """Return a signal of the same length."""
        window = self.cache.setdefault(32, torch.hann_window(32))
        assert float(window.sum()) > 0
        if self.reads:
            window = window / window.numpy().max()
        spectrum = torch.stft(signal, 32, 8, window=window, return_complex=True)
        hidden = torch.log(spectrum.abs()[:, :16] + 0.01)
        for block in self.block:
            hidden = block(hidden)
        for layer in self.layers:  # a list is not called
            hidden = layer(hidden)
        magnitudes, phases = self.last(hidden).chunk(2, 1)
        return torch.istft(torch.polar(torch.exp(magnitudes), phases), 32, 8, window=window)


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv1d(16, 16, 3, padding=1), nn.BatchNorm1d(16), nn.ReLU(), nn.Conv1d(16, 16, 1)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.block(hidden)


def blocks() -> tuple[nn.Module, tuple[Tensor]]:
    return Blocks(), (torch.randn(1, 256),)


class Words(nn.Module):
    """FNet's mixing of words that are given by their numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.wide, self.narrow = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, words: Tensor) -> Tensor:
        """Return B x words x 16."""
        hidden = self.embedding(words)
        mixed = torch.fft.fft(torch.fft.fft(hidden, dim=-1), dim=-2).real
        result: Tensor = self.narrow(nn.functional.gelu(self.wide(mixed)))
        return result


def words() -> tuple[nn.Module, tuple[Tensor]]:
    return Words(), (torch.randint(0, 50, (1, 12)),)


def recorded() -> tuple[nn.Module, tuple[Tensor]]:
    return Blocks(reads=True), (torch.randn(1, 256),)


def transforms_alone() -> tuple[nn.Module, tuple[Tensor]]:
    return TransformsAlone(), (torch.randn(1, 256),)


class TransformsAlone(nn.Module):
    """A network without a layer that 8 bits would make smaller."""

    def forward(self, signal: Tensor) -> Tensor:
        return torch.fft.rfft(signal).abs()


class FeedForward(nn.Module):
    """Layers of magnitudes, with what stands between them of another class, or of none."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.activation, self.down = nn.Linear(33, 64), nn.GELU(), nn.Linear(64, 33)
        self.lists = nn.ModuleList([nn.Linear(33, 33), nn.Linear(33, 33)])
        self.alias = self.lists[0]

    def forward(self, frames: Tensor) -> Tensor:
        """Return B x T x 33."""
        hidden = self.down(self.activation(self.up(torch.fft.rfft(frames).abs())))
        hidden = self.lists[1](torch.tanh(self.alias(torch.tanh(self.lists[0](hidden)))))
        result: Tensor = hidden
        return result


def feed_forward() -> tuple[nn.Module, tuple[Tensor]]:
    return FeedForward(), (torch.randn(1, 8, 64),)


class Beside(nn.Module):
    """A transform of what a layer takes, too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 16)

    def forward(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        return torch.fft.irfft(torch.fft.rfft(signal) * 2, 64), self.layer(signal)


def beside() -> tuple[nn.Module, tuple[Tensor]]:
    return Beside(), (torch.randn(1, 64),)


class Attention(nn.Module):
    """Attention between frames, around which a value of 8 bits goes."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.norm = nn.Linear(33, 32), nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.last = nn.Linear(32, 33)

    def forward(self, frames: Tensor) -> Tensor:
        """Return B x T x 64."""
        spectra = torch.fft.rfft(frames)
        hidden = self.embedding(spectra.abs())
        normal = self.norm(hidden)
        hidden = hidden + self.attention(normal, normal, normal, need_weights=False)[0]
        return torch.fft.irfft(spectra * torch.sigmoid(self.last(hidden)), 64)


def attention() -> tuple[nn.Module, tuple[Tensor]]:
    return Attention(), (torch.randn(1, 8, 64),)


class Pcm(nn.Module):
    """A network of samples of 16 bits, whose first layer has small weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(33, 32), nn.Linear(32, 8)
        with torch.no_grad():
            self.first.weight /= 32768

    def forward(self, frames: Tensor) -> Tensor:
        """Return B x 8."""
        result: Tensor = self.last(torch.relu(self.first(torch.fft.rfft(frames).abs())))
        return result


def pcm() -> tuple[nn.Module, tuple[Tensor]]:
    return Pcm(), (20000 * torch.randn(1, 64),)
