"""Networks of complex tensors."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Filtered(nn.Module):
    """Filters half a spectrum."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.randn(17, dtype=torch.cfloat))

    def forward(self, spectrum: Tensor, gain: Tensor) -> dict[str, Tensor]:
        """Return it, its signal and its magnitudes."""
        filtered = spectrum * self.filter * gain
        return {
            "filtered": filtered,
            "signal": torch.fft.irfft(filtered),
            "size": torch.sqrt(filtered.real**2 + filtered.imag**2 + 0.1),
        }


def filtered() -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    return Filtered(), (torch.randn(2, 3, 17, dtype=torch.cfloat), torch.randn(2, 3, 1))


class Transformed(nn.Module):
    """A transform."""

    def forward(self, x: Tensor) -> Tensor:
        """Return that of ``x``."""
        return torch.fft.fft(x)


def transformed() -> tuple[nn.Module, Tensor]:
    return Transformed(), torch.randn(2, 8, dtype=torch.cfloat)


class Both(NamedTuple):
    first: Tensor
    second: Tensor


class Nested(nn.Module):
    """Takes what is nested."""

    def forward(self, both: Any, gain: Tensor) -> Tensor:
        """Return magnitudes."""
        first, second = both.values() if isinstance(both, dict) else both
        return torch.fft.rfft(first + second).abs() * gain


def named() -> tuple[nn.Module, tuple[Both, Tensor]]:
    return Nested(), (Both(*torch.randn(2, 2, 8)), torch.randn(2, 1))


def dictionary() -> tuple[nn.Module, tuple[dict[str, Tensor], Tensor]]:
    first, second = torch.randn(2, 2, 8)
    return Nested(), ({"first": first, "second": second}, torch.randn(2, 1))


class Keywords(nn.Module):
    """Takes what it does not name."""

    def forward(self, x: Tensor, **others: Tensor) -> Tensor:
        """Return magnitudes."""
        return torch.fft.rfft(x).abs() * others["gain"]


def keywords() -> tuple[nn.Module, tuple[Tensor], dict[str, Tensor]]:
    return Keywords(), (torch.randn(2, 8),), {"gain": torch.randn(2, 1)}
