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
        self.last = nn.utils.parametrizations.weight_norm(nn.Conv1d(16, 34, 1))

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
