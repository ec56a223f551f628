"""EfficientViT's multi-scale linear attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.model.mixers.base import TokenMixer
from affnet.model.mixers.tokens import count_heads


class MultiScaleLinearAttention(TokenMixer):
    """Attention with ReLU in the place of softmax, on tokens and on their aggregates of 5 x 5.

    Without the exponential the product is associative: ``relu(q) (relu(k)^T v)`` divided by
    ``relu(q) (relu(k)^T 1)`` costs N d^2 instead of N^2 d.  A second set of heads has queries, keys
    and values gathered by a 5 x 5 depthwise and a grouped 1 x 1 convolution.
    """

    source = "EfficientViT, arXiv 2205.14756, section 3.1, equations 1 to 3"
    complexity = "N C d + N C^2"
    is_global = True
    adapts = True
    KERNEL = 5
    EPS = 1e-15

    def __init__(self, channels: int) -> None:
        super().__init__()
        heads = count_heads(channels, 16)
        self.size = channels // heads
        wide = 3 * channels
        self.qkv = nn.Conv2d(channels, wide, 1, bias=False)
        self.aggregate = nn.Sequential(
            nn.Conv2d(wide, wide, self.KERNEL, padding=self.KERNEL // 2, groups=wide, bias=False),
            nn.Conv2d(wide, wide, 1, groups=3 * heads, bias=False),
        )
        self.project = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        batch, _, height, width = x.shape
        qkv = self.qkv(x)
        scales = torch.cat((qkv, self.aggregate(qkv)), dim=1)
        heads = scales.reshape(batch, -1, 3 * self.size, height * width)  # 2 sets of heads
        query, key, value = heads.chunk(3, dim=2)  # each .. x d x N
        query, key = F.relu(query), F.relu(key).transpose(-1, -2)
        value = F.pad(value, (0, 0, 0, 1), value=1.0)  # a row of ones, for the divisor
        mixed = (value @ key) @ query
        mixed = mixed[:, :, :-1] / (mixed[:, :, -1:] + self.EPS)
        y: Tensor = self.project(mixed.reshape(batch, -1, height, width))
        return y
