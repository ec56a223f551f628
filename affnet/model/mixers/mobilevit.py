"""MobileViT's attention among unfolded patches."""

from __future__ import annotations

from torch import Tensor

from affnet.model.mixers.base import TokenMixer
from affnet.model.mixers.patches import SIDE, fold, unfold
from affnet.model.mixers.tokens import MultiHeadAttention


class UnfoldedAttention(TokenMixer):
    """Each pixel attends to those at its own place in every 2 x 2 patch, in 4 heads.

    It is the attention of a MobileViT block.  There the convolution before it lets each pixel see
    the rest of its patch, so that the two together are global.
    """

    source = "MobileViT, arXiv 2110.02178, section 3.1, equation 1"
    complexity = "N^2 C / 4 + N C^2"
    is_global = True
    adapts = True
    HEADS = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(channels, self.HEADS)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        batch, channels, height, width = x.shape
        tokens = unfold(x).permute(0, 3, 2, 1).reshape(batch * SIDE**2, -1, channels)
        mixed = self.attention(tokens, tokens).reshape(batch, SIDE**2, -1, channels)
        return fold(mixed.permute(0, 3, 2, 1), height, width)
