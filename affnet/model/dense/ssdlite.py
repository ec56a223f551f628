"""SSDLite, on AFFNet or on another encoder: boxes with classes.

Sources: "SSD", arXiv 1512.02325, with the depthwise separable heads of MobileNetV2,
arXiv 1801.04381, section 6.2, as the published code of AFFNet's family has them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.model.dense.anchors import ASPECT_RATIOS, COORDINATES, Anchors, anchors_per_cell
from affnet.model.dense.base import DenseNetwork
from affnet.model.layers import ConvLayer
from affnet.model.network import Encoder
from affnet.model.variants import Variant

_FINEST_STRIDE = 16  # of the first map; each of the next four has half its size
_EXTRA_CHANNELS = {"os_64": 256, "os_128": 128, "os_256": 128}
_POOLED = "os_-1"
_POOLED_CHANNELS = 64
_HEAD_CHANNELS = (512, 256, 256, 128, 128, 64)


class SeparableConv(nn.Module):
    """A 3x3 depthwise convolution with batch norm, then a 1x1 convolution."""

    def __init__(self, channels: int, pointwise: ConvLayer, *, stride: int = 1) -> None:
        super().__init__()
        self.dw_conv: ConvLayer = ConvLayer(channels, channels, 3, stride=stride, groups=channels)
        self.pw_conv = pointwise

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C_in x H x W to B x C_out x ceil(H / stride) x ceil(W / stride)."""
        y: Tensor = self.pw_conv(self.dw_conv(x))
        return y


class BoxHead(nn.Module):
    """Box values and class scores at each cell of one map."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        anchors: int,
        num_classes: int,
        *,
        kernel_size: int,
        activation: str,
    ) -> None:
        super().__init__()
        self.values: int = COORDINATES + num_classes  # of each anchor
        self.proj_layer: nn.Module = nn.Identity()
        if kernel_size > 1 and in_channels != channels:
            self.proj_layer = ConvLayer(in_channels, channels, 1, activation=activation)
        predictor = ConvLayer(channels, anchors * self.values, 1, norm=False, bias=True)
        self.loc_cls_layer: SeparableConv | ConvLayer = (
            SeparableConv(channels, predictor) if kernel_size > 1 else predictor
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to B x (H W anchors) x (4 + classes)."""
        y: Tensor = self.loc_cls_layer(self.proj_layer(x))
        return y.permute(0, 2, 3, 1).reshape(y.shape[0], -1, self.values)


class MapEncoder(Protocol):
    """A module that gives the maps of two strides of an image."""

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map B x 3 x H x W images to the maps of stride 16 and of stride 32."""


class SingleShotDetector(DenseNetwork):
    """Object detection: the head of SSDLite on an encoder's maps.

    ``widths`` are the channels of the encoder's two maps.

    Output: a pair, for A anchors: class scores before any softmax, B x A x ``num_classes``, of
    which class 0 is the background; boxes, B x A x 4, each left, top, right and bottom as fractions
    of the image.
    """

    task = "detection"
    DEFAULT_SIZE: ClassVar[tuple[int, int]] = (320, 320)

    def __init__(
        self, encoder: MapEncoder, widths: Sequence[int], num_classes: int, activation: str
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.encoder = encoder
        widths = list(widths)
        extra: OrderedDict[str, nn.Module] = OrderedDict()
        for name, channels in _EXTRA_CHANNELS.items():
            pointwise = ConvLayer(widths[-1], channels, 1, activation=activation)
            extra[name] = SeparableConv(widths[-1], pointwise, stride=2)
            widths.append(channels)
        pooled = ConvLayer(widths[-1], _POOLED_CHANNELS, 1, norm=False, activation=activation)
        extra[_POOLED] = nn.Sequential(nn.AdaptiveAvgPool2d(1), pooled)
        widths.append(_POOLED_CHANNELS)
        self.extra_layers: nn.ModuleDict = nn.ModuleDict(extra)
        self.ssd_heads: nn.ModuleList = nn.ModuleList(
            BoxHead(
                width,
                channels,
                anchors_per_cell(ratios),
                num_classes,
                kernel_size=3 if channels != _POOLED_CHANNELS else 1,
                activation=activation,
            )
            for width, channels, ratios in zip(widths, _HEAD_CHANNELS, ASPECT_RATIOS, strict=True)
        )
        self.anchors: Anchors = Anchors()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map B x 3 x H x W images to scores and boxes."""
        maps = list(self.encoder.features(x))
        for layer in self.extra_layers.values():
            maps.append(layer(maps[-1]))
        values = torch.cat(
            [head(maps_) for head, maps_ in zip(self.ssd_heads, maps, strict=True)], dim=1
        )
        sizes = [(y.shape[-2], y.shape[-1]) for y in maps]
        return values[..., COORDINATES:], self.anchors(values[..., :COORDINATES], sizes)

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """See `DenseNetwork.output_specs`."""
        sizes = map_sizes(height, width)
        count = sum(
            h * w * anchors_per_cell(ratios)
            for (h, w), ratios in zip(sizes, ASPECT_RATIOS, strict=True)
        )
        return (
            TensorSpec("scores", (1, count, self.num_classes), "float32", class_axis=2),
            TensorSpec("boxes", (1, count, COORDINATES), "float32"),
        )


class SSDLite(SingleShotDetector):
    """Object detection on AFFNet."""

    encoder: Encoder

    def __init__(
        self,
        variant: Variant,
        num_classes: int,
        activation: str,
        attn_norm: str,
        mixer: str = "aff",
        image_size: tuple[int, int] = SingleShotDetector.DEFAULT_SIZE,
    ) -> None:
        encoder = Encoder(variant, activation, attn_norm, mixer, image_size)
        super().__init__(encoder, variant.channels[-2:], num_classes, activation)
        self.variant = variant
        self.activation = activation
        self.attn_norm = attn_norm


def map_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Return height and width of the maps that look for objects, the finest first."""
    sizes = [(-(-height // _FINEST_STRIDE), -(-width // _FINEST_STRIDE))]
    for _ in range(1 + len(_EXTRA_CHANNELS)):
        rows, columns = sizes[-1]
        sizes.append((-(-rows // 2), -(-columns // 2)))
    return [*sizes, (1, 1)]
