"""Maps as tokens, and the softmax attention that several mixers are made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def to_tokens(x: Tensor) -> Tensor:
    """Turn B x C x H x W maps into B x N x C tokens."""
    return x.flatten(2).transpose(1, 2)


def to_maps(tokens: Tensor, height: int, width: int) -> Tensor:
    """Turn B x N x C tokens into B x C x H x W maps."""
    return tokens.transpose(1, 2).reshape(len(tokens), -1, height, width)


def largest_divisor(number: int, limit: int) -> int:
    """Return the largest divisor of ``number`` that is at most ``limit``."""
    return next(d for d in range(min(number, limit), 0, -1) if number % d == 0)


def count_heads(channels: int, head_channels: int) -> int:
    """Return the fewest heads of at most ``head_channels`` channels."""
    return channels // largest_divisor(channels, head_channels)


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """Turn B x N x C into B x heads x N x C / heads."""
    batch, count, channels = tokens.shape
    return tokens.reshape(batch, count, heads, channels // heads).transpose(1, 2)


def join_heads(tokens: Tensor) -> Tensor:
    """Turn B x heads x N x C / heads into B x N x C."""
    return tokens.transpose(1, 2).flatten(2)


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return softmax(q k^T / sqrt(d)) v of .. x N x d, .. x M x d and .. x M x e.

    Written out, because converters know these operators and a flop counter sees the products.
    """
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    mixed: Tensor = scores.softmax(dim=-1) @ value
    return mixed


class MultiHeadAttention(nn.Module):
    """Softmax attention of some tokens to others (arXiv 1706.03762, section 3.2.2)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.project = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Let B x N x C ``tokens`` attend to B x M x C ``context``; return B x N x C."""
        key, value = self.key_value(context).chunk(2, dim=-1)
        query, key, value = (split_heads(t, self.heads) for t in (self.query(tokens), key, value))
        mixed: Tensor = self.project(join_heads(attend(query, key, value)))
        return mixed


def common_divisor(height: int, width: int, limit: int) -> int:
    """Return the largest divisor of both sides that is at most ``limit``."""
    return largest_divisor(math.gcd(height, width), limit)


def fill_up(x: Tensor, side: int) -> Tensor:
    """Append zeros to B x C x H x W maps until ``side`` divides height and width."""
    below, right = -x.shape[2] % side, -x.shape[3] % side
    return nn.functional.pad(x, (0, right, 0, below)) if below or right else x


def cut_to(x: Tensor, height: int, width: int) -> Tensor:
    """Undo `fill_up`; maps of that size already are not touched, nor is an exported graph."""
    return x if x.shape[2:] == (height, width) else x[..., :height, :width]


def to_windows(x: Tensor, side: int) -> Tensor:
    """Turn B x C x H x W maps into (B windows) x side^2 x C tokens."""
    channels, width = x.shape[1], x.shape[3]
    rows = x.permute(0, 2, 3, 1).reshape(-1, side, width // side, side * channels)
    return rows.transpose(1, 2).reshape(-1, side * side, channels)


def from_windows(windows: Tensor, height: int, width: int) -> Tensor:
    """Undo `to_windows`."""
    _, pixels, channels = windows.shape
    side = math.isqrt(pixels)
    rows = windows.reshape(-1, width // side, side, side * channels).transpose(1, 2)
    return rows.reshape(-1, height, width, channels).permute(0, 3, 1, 2)


def learned(*shape: int, scale: float = 0.02) -> nn.Parameter:
    """Return a parameter drawn as the published codes of transformers draw theirs."""
    return nn.Parameter(scale * torch.randn(*shape))
