"""MobileViTv2's separable self-attention."""

from __future__ import annotations

from torch import Tensor, nn

from affnet.model.mixers.base import TokenMixer
from affnet.model.mixers.patches import fold, unfold


class SeparableAttention(TokenMixer):
    """Weigh all keys into one context vector, and scale every value by it.

    Softmax of one score per token gives the weights; the tokens are the pixels at the same place
    of every 2 x 2 patch, as in MobileViT.
    """

    source = "MobileViTv2, arXiv 2206.02680, section 3.1, equation 2"
    complexity = "N C^2"
    is_global = True
    adapts = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.score_key_value = nn.Conv2d(channels, 1 + 2 * channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        sizes = [1, self.channels, self.channels]
        score, key, value = self.score_key_value(unfold(x)).split(sizes, dim=1)
        context = (key * score.softmax(dim=2)).sum(dim=2, keepdim=True)
        return fold(self.project(self.act(value) * context), *x.shape[-2:])
