"""Small networks of several inputs and outputs, of all types that files hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

WORDS = 20


class Tokens(nn.Module):
    """Mixes words by a transform: integers and truth values in, four kinds of outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(WORDS, 8)

    def forward(
        self, tokens: Tensor, mask: Tensor | None = None, *, scale: float = 1.0
    ) -> dict[str, Tensor]:
        x = self.words(tokens)
        if mask is not None:
            x = torch.where(mask[..., None], x, 0.0)
        x = torch.fft.fft2(x).real * scale
        return {"hidden": x, "best": x.argmax(-1), "score": x.mean(), "above": x > 0}


def tokens() -> Any:
    """Return the network, and arguments by place and by name."""
    example = torch.arange(12)[None], torch.arange(12)[None] % 3 > 0
    return Tokens(), example, {"scale": 0.5}


class Types(nn.Module):
    """Takes and gives every type, a complex one and a single number among them."""

    def forward(
        self, flags: Tensor, counts: Tensor, half: Tensor, wave: Tensor, gain: Tensor
    ) -> tuple[Tensor, ...]:
        y = torch.fft.fft(wave * gain) * torch.where(flags, 1.0, 0.5)
        y = y + half.float() + counts.sum()
        return y, flags.any(), counts * 2, half + half


def types() -> Any:
    """Return the network, and its arguments."""
    torch.manual_seed(0)
    return Types(), (
        torch.arange(8) > 4,
        torch.arange(8, dtype=torch.int32),
        torch.randn(8).half(),
        torch.randn(8, dtype=torch.complex64),
        torch.tensor(0.7),
    )


@dataclass
class Pair:
    """What a network returns."""

    low: Tensor
    high: Tensor


class Nested(nn.Module):
    """Takes a dictionary and a list, and returns a dataclass; ``spare`` is never used."""

    def forward(self, parts: dict[str, Tensor], more: list[Tensor]) -> Pair:
        x = torch.fft.rfft(parts["a"]).abs() + more[0].sum()
        return Pair(x.clamp(max=1), x.clamp(min=1))


def nested() -> Any:
    """Return the network, and its arguments by name."""
    parts = {"a": torch.linspace(-1, 1, 8), "spare": torch.zeros(2)}
    return Nested(), {"parts": parts, "more": [torch.ones(3)]}


class Clash(nn.Module):
    """Returns two outputs of one name, one that is called like an input, and a number."""

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Any]:
        return {"a b": torch.fft.rfft(x).abs(), "a_b": y * 2, "x": x + y.sum(), "n": 3}


def clash() -> Any:
    """Return the network, and its arguments."""
    return Clash(), (torch.linspace(0, 1, 8), torch.ones(4))


class Passing(nn.Module):
    """Returns its inputs as they are, one twice, beside outputs called like them."""

    def forward(self, mul: Tensor, y: Tensor) -> dict[str, Tensor]:
        low = torch.fft.rfft(mul).abs() + y
        return {
            "same": mul,
            "mul": y * 2,
            "output_mul": low,
            "again": mul.clone(),
            "y": y,
            "abs": low,
        }


def passing() -> Any:
    """Return the network, and its arguments."""
    return Passing(), (torch.linspace(0, 1, 8), torch.linspace(0, 1, 5))


class Builtins(nn.Module):
    """Takes arguments that are called like functions of Python's, and returns a dictionary."""

    def forward(
        self,
        input: Tensor,  # noqa: A002
        filter: Tensor | None = None,  # noqa: A002
        **more: Tensor,
    ) -> dict[str, Tensor]:
        assert filter is not None
        return {"sum": torch.fft.rfft(input).abs() * filter, "max": more["min"] + 1}


def builtins() -> Any:
    """Return the network, and its arguments by place and by name."""
    return Builtins(), (torch.linspace(-1, 1, 8),), {"filter": torch.ones(5), "min": torch.ones(3)}


class Inverse(nn.Module):
    """Inverts its input, which zeros do not have."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.inv(torch.fft.fft(x)).abs()


def inverse() -> Any:
    """Return the network, and its input."""
    return Inverse(), torch.tensor([[1.0, 2.0], [0.5, -1.0]])


class Slope(nn.Module):
    """Gives a gradient, which it has autograd find."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            power = torch.fft.rfft(x).abs().square().sum()
        return torch.autograd.grad(power, x)[0]


def slope() -> Any:
    """Return the network, and its input."""
    return Slope(), torch.linspace(-1, 1, 16)


class Options(nn.Module):
    """Takes one dictionary."""

    def forward(self, parts: dict[str, Tensor]) -> Tensor:
        return torch.fft.rfft(parts["a"]).abs() + parts["b"]


def options() -> Any:
    """Return the network, and the dictionary alone."""
    return Options(), {"a": torch.linspace(0, 1, 8), "b": torch.ones(5)}


class Wide(nn.Module):
    """Computes in float64."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x).abs()


def wide() -> Any:
    """Return the network, and its input."""
    return Wide(), torch.linspace(-1, 1, 16, dtype=torch.float64)
