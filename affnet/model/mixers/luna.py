"""Luna's packed and unpacked attention."""

from __future__ import annotations

from torch import Tensor

from affnet.model.mixers.base import TokenMixer
from affnet.model.mixers.tokens import (
    MultiHeadAttention,
    count_heads,
    learned,
    to_maps,
    to_tokens,
)


class PackedAttention(TokenMixer):
    """A short learned sequence attends to all tokens, then all tokens attend to it.

    Equations 4 and 5.  The sequence P has 16 tokens, the shortest of the paper's; in a stack of
    Luna layers the packed sequence goes on to the next, here each mixer has its own.
    """

    source = "Luna, arXiv 2106.01540, section 3.1, equations 4 and 5"
    complexity = "N p C + N C^2"
    is_global = True
    adapts = True
    LENGTH = 16

    def __init__(self, channels: int) -> None:
        super().__init__()
        heads = count_heads(channels, 64)
        self.packed = learned(1, self.LENGTH, channels, scale=channels**-0.5)
        self.pack = MultiHeadAttention(channels, heads)
        self.unpack = MultiHeadAttention(channels, heads)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        tokens = to_tokens(x)
        packed = self.pack(self.packed, tokens)
        return to_maps(self.unpack(tokens, packed), *x.shape[-2:])
