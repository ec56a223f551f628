"""AFFNet, with the structure and the state-dict names of the published code."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from affnet.errors import UsageError
from affnet.model.layers import ConvLayer, InvertedResidual, make_normalisation
from affnet.model.mixers import create_mixer, in_residual
from affnet.model.sizes import SizeRule
from affnet.model.variants import Variant, get_variant

IMAGE_SIZE = (256, 256)  # of the published training, height and width


class AFFBlock(nn.Module):
    """Channel mixing by an inverted residual, then token mixing by the frequency filter.

    Another ``mixer`` takes the filter's place with a residual connection, as the filter has one.
    ``size`` is that of the maps, for mixers that are made for one.
    """

    def __init__(
        self,
        channels: int,
        activation: str,
        attn_norm: str,
        mixer: str = "aff",
        size: tuple[int, int] = (32, 32),
    ) -> None:
        super().__init__()
        self.norm1 = make_normalisation(attn_norm, channels)
        self.filter: nn.Module = in_residual(create_mixer(mixer, channels, size, activation))
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

    def __init__(
        self,
        channels: int,
        num_blocks: int,
        activation: str,
        attn_norm: str,
        mixer: str = "aff",
        size: tuple[int, int] = (32, 32),
    ) -> None:
        super().__init__()
        blocks = [AFFBlock(channels, activation, attn_norm, mixer, size) for _ in range(num_blocks)]
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
    _STAGE_STRIDES = (8, 16, 32)  # from the image to the stage's maps

    def __init__(
        self,
        variant: Variant,
        num_classes: int,
        activation: str,
        attn_norm: str,
        mixer: str = "aff",
        image_size: tuple[int, int] = IMAGE_SIZE,
    ) -> None:
        super().__init__()
        self.variant = variant
        self.num_classes = num_classes
        self.activation = activation
        self.attn_norm = attn_norm
        self.mixer = mixer
        c1, c2, c3, c4, c5 = variant.channels

        def residual(in_channels: int, out_channels: int, stride: int) -> InvertedResidual:
            return InvertedResidual(
                in_channels,
                out_channels,
                stride=stride,
                expansion=variant.expansion,
                activation=activation,
            )

        def stage(index: int, in_channels: int, channels: int) -> nn.Sequential:
            height, width = (side // self._STAGE_STRIDES[index] for side in image_size)
            blocks = self._STAGE_BLOCKS[index]
            return nn.Sequential(
                residual(in_channels, channels, 2),
                AFFStage(channels, blocks, activation, attn_norm, mixer, (height, width)),
            )

        self.conv_1 = ConvLayer(3, 16, 3, stride=2, activation=activation)
        self.layer_1 = nn.Sequential(residual(16, c1, 1))
        self.layer_2 = nn.Sequential(residual(c1, c2, 2), residual(c2, c2, 1), residual(c2, c2, 1))
        self.layer_3 = stage(0, c2, c3)
        self.layer_4 = stage(1, c3, c4)
        self.layer_5 = stage(2, c4, c5)
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
    mixer: str = "aff",
    image_size: tuple[int, int] = IMAGE_SIZE,
) -> AFFNet:
    """Build an AFFNet with random weights, in training mode.

    Args:
        name: ``affnet_et``, ``affnet_t`` or ``affnet``.
        num_classes: number of logits.
        activation: one of `affnet.model.layers.ACTIVATIONS`; used everywhere, in the filter too.
        attn_norm: the normalisation inside AFF stages, ``layer_norm_2d`` or ``layer_norm``.
        mixer: the token mixer of the blocks, one of `affnet.model.mixers.MIXERS`.
        image_size: height and width of the images, for mixers that are made for one map size, and
            ignored by ``aff``.

    Raises:
        UnknownNameError: a name that is none of these; the message lists the valid ones.
        UsageError: ``num_classes`` below 1.
        ImageSizeError: ``image_size`` has a side that is no multiple of the network's stride.
    """
    if num_classes < 1:
        raise UsageError(f"num_classes must be at least 1, not {num_classes}.")
    SizeRule().check(name, *image_size)
    return AFFNet(get_variant(name), num_classes, activation, attn_norm, mixer, image_size)
