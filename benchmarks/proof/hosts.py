"""What stands before and after a place in a network: an ordinary layer, or none."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.proof.draw import Draw


class Gain(nn.Module):
    """Multiply by a number, and add another."""

    def __init__(self, gain: float, offset: float = 0.0) -> None:
        super().__init__()
        self.gain, self.offset = gain, offset

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to itself."""
        return self.gain * x + self.offset


class GlobalFilter(nn.Module):
    """Multiply the spectrum of the last axis by a weight near 1."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length
        bins = length // 2 + 1
        weight = torch.stack((1 + 0.2 * torch.randn(bins), 0.2 * torch.randn(bins)), -1)
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map .. x length to the same shape."""
        z = torch.fft.rfft(x, norm="ortho") * torch.view_as_complex(self.weight)
        return torch.fft.irfft(z, n=self.length, norm="ortho")


class Smoothing(nn.Module):
    """A short filter along time, of signals without an axis of channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)
        nn.init.uniform_(self.conv.weight, 0.1, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map batch x samples to the same shape."""
        return self.conv(x.unsqueeze(1)).squeeze(1)


def before(draw: Draw) -> nn.Module:
    """Return what comes first: it gives the shape that it takes."""
    choices: list[nn.Module] = [nn.Identity(), nn.Identity(), GlobalFilter(draw.last)]
    if draw.domain == "image":
        near_identity = nn.Conv2d(3, 3, 1, bias=False)
        depthwise = nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False)
        with torch.no_grad():
            near_identity.weight.mul_(0.3).add_(torch.eye(3)[:, :, None, None])
        choices += [near_identity, depthwise, Gain(2.0, -1.0), Gain(4.0)]
    else:
        choices.append(Smoothing())
    if draw.domain == "audio":
        choices.append(Gain(3.0))
    if draw.domain == "pcm":
        choices += [Gain(1 / 32768), Gain(1 / 32768)]
    return draw.choice(choices)


def after(draw: Draw, shape: tuple[int, ...]) -> nn.Module:
    """Return what comes last, for values of ``shape``."""
    choices: list[nn.Module] = [nn.Identity(), nn.Identity(), Gain(0.5, 0.1)]
    if shape and 1 < shape[-1] <= 64:
        choices.append(nn.Linear(shape[-1], 5))
    if len(shape) == 4 and shape[1] == 3:
        choices.append(nn.Conv2d(3, 4, 1))
    return draw.choice(choices)


class Network(nn.Module):
    """Three parts, one after the other."""

    def __init__(self, before: nn.Module, site: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.before, self.site, self.after = before, site, after

    def forward(self, x: Tensor) -> Tensor:
        """Call all three."""
        return self.after(self.site(self.before(x)))
