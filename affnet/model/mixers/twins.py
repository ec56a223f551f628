"""Twins-SVT's pair of attentions: within windows, then to a sub-sampled map."""

from __future__ import annotations

from torch import Tensor, nn

from affnet.model.mixers.base import TokenMixer
from affnet.model.mixers.tokens import (
    MultiHeadAttention,
    common_divisor,
    count_heads,
    cut_to,
    fill_up,
    from_windows,
    to_maps,
    to_tokens,
    to_windows,
)


class LocalThenSubsampledAttention(TokenMixer):
    """Locally-grouped attention, then global attention to a map made smaller by a convolution.

    Equation 4 without its feed-forward layers, which are channel mixers: with z = x + local(x),
    ``x + mixer(x) = z + global(norm(z))``.  Published for 224 px: windows of 7 x 7, and maps of
    56, 28, 14 and 7 made smaller by 8, 4, 2 and 1.  Here, for any map size: the largest window of
    at most 8 x 8 that divides the map, which is 7 and 8 for the maps of 224 and 256 px; and as many
    keys a side as a window has, but made smaller by no more than 8.  Other maps are filled up with
    zeros at the right and below, as the published code does, and what is mixed is cut off again.
    """

    source = "Twins-SVT, arXiv 2104.13840, section 3.2, equation 4"
    complexity = "N w^2 C + N^2 C / r^2 + N C^2"
    is_global = True
    adapts = True
    LIMIT = 8  # of window and ratio

    def __init__(self, channels: int, window: int, ratio: int) -> None:
        super().__init__()
        self.window = window
        heads = count_heads(channels, 32)
        self.local = MultiHeadAttention(channels, heads)
        self.norm = nn.LayerNorm(channels)
        self.reduce = nn.Conv2d(channels, channels, ratio, stride=ratio)
        self.reduced_norm = nn.LayerNorm(channels)
        self.attention = MultiHeadAttention(channels, heads)

    @classmethod
    def create(
        cls, channels: int, size: tuple[int, int], activation: str
    ) -> LocalThenSubsampledAttention:
        """See `TokenMixer.create`; it takes all other maps too."""
        window = common_divisor(*size, cls.LIMIT)
        ratio = common_divisor(*size, min(cls.LIMIT, max(1, min(size) // window)))
        return cls(channels, window, ratio)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        height, width = x.shape[-2:]
        filled = fill_up(x, self.window)
        windows = to_windows(filled, self.window)
        local = from_windows(self.local(windows, windows), *filled.shape[-2:])
        local = cut_to(local, height, width)
        tokens = self.norm(to_tokens(x + local))
        reduced = self.reduce(fill_up(to_maps(tokens, height, width), self.reduce.stride[0]))
        context = self.reduced_norm(to_tokens(reduced))
        return local + to_maps(self.attention(tokens, context), height, width)
