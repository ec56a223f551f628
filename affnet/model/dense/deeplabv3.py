"""DeepLabv3 on AFFNet: a class for each pixel.

Source: "Rethinking Atrous Convolution for Semantic Image Segmentation", arXiv 1706.05587, as the
published code of AFFNet's family has it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.model.dense.base import DenseNetwork
from affnet.model.layers import ConvLayer
from affnet.model.network import Encoder
from affnet.model.published import Published
from affnet.model.variants import Variant

_OUTPUT_STRIDE = 16
_WIDTH = 256
_RATES = (6, 12, 18)  # dilations at an output stride of 16
_PAPER = "arXiv 2307.14008 and github.com/microsoft/TokenMixers, Pascal VOC"
#: By the variant of the encoder.
PUBLISHED_ON_VOC = {
    "affnet_et": Published(None, 2.2, None, _PAPER, 76.1),
    "affnet_t": Published(None, 3.5, None, _PAPER, 77.8),
    "affnet": Published(None, 7.0, None, _PAPER, 80.5),
}


def scores_spec(classes: int, height: int, width: int) -> TensorSpec:
    """Return the spec of one image's class scores at its own size."""
    return TensorSpec("scores", (1, classes, height, width), "float32", class_axis=1)


class PooledBranch(nn.Module):
    """The mean over the whole map, through a 1x1 convolution, at every pixel."""

    def __init__(self, in_channels: int, out_channels: int, activation: str) -> None:
        super().__init__()
        self.aspp_pool: nn.Sequential = nn.Sequential(
            OrderedDict(
                global_pool=nn.AdaptiveAvgPool2d(1),
                conv_1x1=ConvLayer(in_channels, out_channels, 1, activation=activation),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C_in x H x W to B x C_out x H x W."""
        pooled: Tensor = self.aspp_pool(x)
        return F.interpolate(pooled, size=x.shape[-2:], mode="bilinear", align_corners=False)


class AtrousPyramid(nn.Module):
    """Atrous spatial pyramid pooling: branches that look near, far and at the whole map."""

    def __init__(self, in_channels: int, activation: str) -> None:
        super().__init__()
        self.convs: nn.ModuleList = nn.ModuleList(
            [
                ConvLayer(in_channels, _WIDTH, 1, activation=activation),
                *(
                    ConvLayer(in_channels, _WIDTH, 3, dilation=rate, activation=activation)
                    for rate in _RATES
                ),
                PooledBranch(in_channels, _WIDTH, activation),
            ]
        )
        self.project: ConvLayer = ConvLayer(
            len(self.convs) * _WIDTH, _WIDTH, 1, activation=activation
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to B x 256 x H x W."""
        y: Tensor = self.project(torch.cat([conv(x) for conv in self.convs], dim=1))
        return y


class DeepLabv3(DenseNetwork):
    """Semantic segmentation.

    Output: class scores, before any softmax, B x ``num_classes`` x H x W.
    """

    task = "segmentation"
    DEFAULT_SIZE: ClassVar[tuple[int, int]] = (512, 512)

    def __init__(
        self,
        variant: Variant,
        num_classes: int,
        activation: str,
        attn_norm: str,
        mixer: str = "aff",
        image_size: tuple[int, int] = DEFAULT_SIZE,
    ) -> None:
        super().__init__()
        self.variant = variant
        self.num_classes = num_classes
        self.activation = activation
        self.attn_norm = attn_norm
        self.encoder: Encoder = Encoder(
            variant, activation, attn_norm, mixer, image_size, _OUTPUT_STRIDE
        )
        aspp = nn.Sequential(
            OrderedDict(aspp_layer=AtrousPyramid(variant.channels[-1], activation))
        )
        classifier = ConvLayer(_WIDTH, num_classes, 1, norm=False, bias=True)
        self.seg_head: nn.Sequential = nn.Sequential(OrderedDict(aspp=aspp, classifier=classifier))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W images to B x num_classes x H x W scores."""
        _, maps = self.encoder.features(x)
        scores: Tensor = self.seg_head(maps)
        return F.interpolate(scores, size=x.shape[-2:], mode="bilinear", align_corners=True)

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """See `DenseNetwork.output_specs`."""
        return (scores_spec(self.num_classes, height, width),)
