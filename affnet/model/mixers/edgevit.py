"""EdgeViT's local-global-local mixer."""

from __future__ import annotations

from torch import Tensor, nn

from affnet.model.mixers.base import TokenMixer
from affnet.model.mixers.tokens import (
    MultiHeadAttention,
    common_divisor,
    count_heads,
    cut_to,
    to_maps,
    to_tokens,
)


class LocalGlobalLocal(TokenMixer):
    """Gather by convolutions, attend among every r-th token each way, spread the outcome.

    Equation 1 without its feed-forward layers, which are channel mixers: with z = x + local(x),
    ``x + mixer(x) = z + spread(attention(norm(z)[every r-th token]))``, where spread is a depthwise
    transposed convolution of kernel and stride r.  Published for 224 px: r = 4, 2, 2 and 1 on
    maps of 56, 28, 14 and 7; here r follows from the map's sides in the same way.
    """

    source = "EdgeViT, arXiv 2205.03436, section 3.1, equation 1"
    complexity = "N^2 C / r^4 + N C^2"
    is_global = True
    adapts = True

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        self.ratio = ratio
        self.local = nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, channels, 1),
        )
        self.norm = nn.LayerNorm(channels)
        self.attention = MultiHeadAttention(channels, count_heads(channels, 32))
        self.spread = nn.ConvTranspose2d(channels, channels, ratio, stride=ratio, groups=channels)

    @classmethod
    def create(cls, channels: int, size: tuple[int, int], activation: str) -> LocalGlobalLocal:
        """See `TokenMixer.create`; it takes any map that r divides."""
        limit = 4 if min(size) >= 56 else 2 if min(size) >= 14 else 1
        return cls(channels, common_divisor(*size, limit))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        local = self.local(x)
        sparse = (x + local)[..., :: self.ratio, :: self.ratio]
        tokens = self.norm(to_tokens(sparse))
        mixed = to_maps(self.attention(tokens, tokens), *sparse.shape[-2:])
        # a last row or column of patches may reach beyond the map
        spread: Tensor = local + cut_to(self.spread(mixed), *x.shape[-2:])
        return spread
