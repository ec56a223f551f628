"""AFFNet, with the structure and the state-dict names of the published code."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from affnet.errors import ImageSizeError, UsageError
from affnet.model.layers import ConvLayer, InvertedResidual, make_normalisation
from affnet.model.mixer import AdaptiveFrequencyFilter
from affnet.model.variants import Variant, get_variant


class AFFBlock(nn.Module):
    """Channel mixing by an inverted residual, then token mixing by the frequency filter."""

    def __init__(self, channels: int, activation: str, attn_norm: str) -> None:
        super().__init__()
        self.norm1 = make_normalisation(attn_norm, channels)
        self.filter = AdaptiveFrequencyFilter(channels, activation)
        self.norm2 = make_normalisation(attn_norm, channels)
        self.mlp = InvertedResidual(
            channels, channels, stride=1, expansion=2, activation=activation
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        y: Tensor = self.filter(self.norm2(self.mlp(self.norm1(x))))
        return x + y


class AFFStage(nn.Module):
    """AFF blocks, a projection, and fusion with the stage's own input."""

    def __init__(self, channels: int, num_blocks: int, activation: str, attn_norm: str) -> None:
        super().__init__()
        blocks = [AFFBlock(channels, activation, attn_norm) for _ in range(num_blocks)]
        self.global_rep = nn.Sequential(*blocks, make_normalisation(attn_norm, channels))
        self.conv_proj = ConvLayer(channels, channels, 1)
        self.fusion = ConvLayer(2 * channels, channels, 1, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        y: Tensor = self.conv_proj(self.global_rep(x))
        fused: Tensor = self.fusion(torch.cat((x, y), dim=1))
        return fused


class AFFNet(nn.Module):
    """The classification network.

    Input: B x 3 x H x W, RGB in 0..1.  Output: B x ``num_classes`` logits.
    """

    STRIDE = 32
    _STAGE_BLOCKS = (2, 4, 3)

    def __init__(self, variant: Variant, num_classes: int, activation: str, attn_norm: str) -> None:
        super().__init__()
        self.variant = variant
        self.num_classes = num_classes
        self.activation = activation
        self.attn_norm = attn_norm
        c1, c2, c3, c4, c5 = variant.channels

        def residual(in_channels: int, out_channels: int, stride: int) -> InvertedResidual:
            return InvertedResidual(
                in_channels,
                out_channels,
                stride=stride,
                expansion=variant.expansion,
                activation=activation,
            )

        def stage(in_channels: int, channels: int, num_blocks: int) -> nn.Sequential:
            return nn.Sequential(
                residual(in_channels, channels, 2),
                AFFStage(channels, num_blocks, activation, attn_norm),
            )

        self.conv_1 = ConvLayer(3, 16, 3, stride=2, activation=activation)
        self.layer_1 = nn.Sequential(residual(16, c1, 1))
        self.layer_2 = nn.Sequential(residual(c1, c2, 2), residual(c2, c2, 1), residual(c2, c2, 1))
        self.layer_3 = stage(c2, c3, self._STAGE_BLOCKS[0])
        self.layer_4 = stage(c3, c4, self._STAGE_BLOCKS[1])
        self.layer_5 = stage(c4, c5, self._STAGE_BLOCKS[2])
        self.conv_1x1_exp = ConvLayer(c5, variant.head_channels, 1, activation=activation)
        self.classifier = nn.Sequential(
            OrderedDict(fc=nn.Linear(variant.head_channels, num_classes))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W images to B x num_classes logits."""
        x = self.layer_2(self.layer_1(self.conv_1(x)))
        x = self.conv_1x1_exp(self.layer_5(self.layer_4(self.layer_3(x))))
        logits: Tensor = self.classifier(x.mean(dim=(-2, -1)))
        return logits


def create_model(
    name: str,
    *,
    num_classes: int = 1000,
    activation: str = "swish",
    attn_norm: str = "layer_norm_2d",
) -> AFFNet:
    """Build an AFFNet with random weights, in training mode.

    Args:
        name: ``affnet_et``, ``affnet_t`` or ``affnet``.
        num_classes: number of logits.
        activation: one of `affnet.model.layers.ACTIVATIONS`; used everywhere, in the filter too.
        attn_norm: the normalisation inside AFF stages, ``layer_norm_2d`` or ``layer_norm``.

    Raises:
        UnknownNameError: a name that is none of these; the message lists the valid ones.
        UsageError: ``num_classes`` below 1.
    """
    if num_classes < 1:
        raise UsageError(f"num_classes must be at least 1, not {num_classes}.")
    return AFFNet(get_variant(name), num_classes, activation, attn_norm)


def check_image_size(name: str, height: int, width: int) -> None:
    """Raise `ImageSizeError` unless both sides are positive multiples of the network's stride.

    PyTorch would take other sizes too.  Each stride then rounds the map up, so that cells at the
    border see mostly padding; the published training samples multiples of the stride only, and an
    export with another size is nearly always a mistyped one.
    """
    stride = AFFNet.STRIDE
    if height < stride or width < stride or height % stride or width % stride:
        raise ImageSizeError(
            f"{name} cannot take {height}x{width} images: each side must be a multiple "
            f"of {stride}, the smallest is {stride}x{stride}."
        )
