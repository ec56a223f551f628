"""The softmax self-attention of ViT and DeiT."""

from __future__ import annotations

from torch import Tensor

from affnet.model.mixers.base import TokenMixer
from affnet.model.mixers.tokens import MultiHeadAttention, count_heads, to_maps, to_tokens


class SelfAttention(TokenMixer):
    """Every token attends to every token, in heads of 64 channels or fewer as in DeiT."""

    source = "DeiT, arXiv 2012.12877, section 3; arXiv 1706.03762, section 3.2"
    complexity = "N^2 C + N C^2"
    is_global = True
    adapts = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(channels, count_heads(channels, 64))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        tokens = to_tokens(x)
        return to_maps(self.attention(tokens, tokens), *x.shape[-2:])
