"""Weights that are another's, older, or no longer whole."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from benchmarks.proof.draw import Draw
from benchmarks.proof.faults.base import IMAGE, Apply, Fault, Pair


def _layer(draw: Draw) -> nn.Module:
    if draw.domain == "image":
        return nn.Conv2d(3, 5, draw.choice([1, 3]), padding="same")
    return nn.Linear(draw.last, 7)


def _changed(layer: nn.Module, change: object) -> nn.Module:
    """Return a copy of a layer with ``change`` applied to its weight."""
    other = copy.deepcopy(layer)
    with torch.no_grad():
        other.weight.copy_(change(other.weight))  # type: ignore[operator]
    return other


def _stale(draw: Draw) -> Pair:
    right, step = _layer(draw), draw.choice([0.03, 0.1])
    older = _changed(right, lambda w: w - step * w.abs().mean() * torch.randn_like(w).sign())
    return right, older


def _dead_channel(draw: Draw) -> Pair:
    right = _layer(draw)

    def kill(weight: Tensor) -> Tensor:
        weight = weight.clone()
        weight[-1] = 0
        return weight

    return right, _changed(right, kill)


def _few_bits(draw: Draw) -> Pair:
    right = _layer(draw)
    return right, _changed(right, lambda w: torch.round(w / w.abs().max() * 7) / 7 * w.abs().max())


def _flipped_kernel(draw: Draw) -> Pair:
    right = nn.Conv2d(3, 3, 3, padding=1, groups=draw.choice([1, 3]))
    return right, _changed(right, lambda w: w.flip(-1, -2))


def _bias(draw: Draw) -> Pair:
    right = _layer(draw)
    wrong = copy.deepcopy(right)
    nn.init.zeros_(wrong.bias)
    return right, wrong


def _swapped_layers(draw: Draw) -> Pair:
    first, second = (nn.Linear(draw.last, draw.last, bias=False) for _ in range(2))

    def both(x: Tensor, one: nn.Module, other: nn.Module) -> Tensor:
        return other(torch.tanh(one(x)))

    return Apply(both, first, second), Apply(both, second, first)


def _statistics(_: Draw) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(3).eval()
    nn.init.uniform_(norm.running_mean, -0.5, 0.5)
    nn.init.uniform_(norm.running_var, 0.2, 3)
    nn.init.uniform_(norm.weight, 0.5, 2)
    return norm


def _fresh_statistics(draw: Draw) -> Pair:
    right = _statistics(draw)
    wrong = copy.deepcopy(right)
    wrong.reset_running_stats()
    return right, wrong


def _batch_norm_eps(draw: Draw) -> Pair:
    """Batch norm folded without its constant, where a channel hardly varied in training."""
    right = _statistics(draw)
    nn.init.constant_(right.running_var, draw.choice([1e-3, 1e-5, 1e-7]))
    wrong = copy.deepcopy(right)
    wrong.eps = 0.0
    return right, wrong


def _frequency_weight(draw: Draw) -> tuple[Tensor, Tensor]:
    bins = draw.last // 2 + 1
    return 1 + 0.3 * torch.randn(bins), 0.3 * torch.randn(bins)


def _conjugated(draw: Draw) -> Pair:
    real, imaginary = _frequency_weight(draw)
    return _Filter(real, imaginary), _Filter(real, -imaginary)


def _mirrored(draw: Draw) -> Pair:
    real, imaginary = _frequency_weight(draw)
    return _Filter(real, imaginary), _Filter(real.flip(0), imaginary.flip(0))


class _Filter(nn.Module):
    """Multiply the spectrum of the last axis by a weight."""

    def __init__(self, real: Tensor, imaginary: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", torch.stack((real, imaginary), -1))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.rfft(x) * torch.view_as_complex(self.weight)
        return torch.fft.irfft(z, n=x.shape[-1])


FAULTS = (
    Fault("weight of an earlier step", _stale),
    Fault("an output channel of zeros", _dead_channel),
    Fault("weight of 4 bits", _few_bits),
    Fault("kernel flipped", _flipped_kernel, IMAGE),
    Fault("bias dropped", _bias),
    Fault("weights of two layers swapped", _swapped_layers),
    Fault("batch norm with fresh statistics", _fresh_statistics, IMAGE),
    Fault("batch norm without its constant", _batch_norm_eps, IMAGE),
    Fault("frequency weight conjugated", _conjugated),
    Fault("frequency weight mirrored", _mirrored),
)
