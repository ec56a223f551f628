"""PoolFormer's average pooling."""

from __future__ import annotations

from torch import Tensor, nn

from affnet.model.mixers.base import TokenMixer


class AveragePooling(TokenMixer):
    """The mean of 3 x 3 pixels, those inside the map, less the pixel itself; no parameters."""

    source = "PoolFormer, arXiv 2111.11418, section 3.2, equation 4"
    complexity = "N C"
    is_global = False
    adapts = False

    def __init__(self, _channels: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        mean: Tensor = self.pool(x)
        return mean - x
