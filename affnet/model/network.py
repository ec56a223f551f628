"""AFFNet, with the structure and the state-dict names of the published code."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from affnet.model.layers import ConvLayer, InvertedResidual, make_normalisation
from affnet.model.mixers import create_mixer, in_residual
from affnet.model.variants import Variant

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
        self.norm1: nn.Module = make_normalisation(attn_norm, channels)
        self.filter: nn.Module = in_residual(create_mixer(mixer, channels, size, activation))
        self.norm2: nn.Module = make_normalisation(attn_norm, channels)
        self.mlp: InvertedResidual = InvertedResidual(
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
        self.global_rep: nn.Sequential = nn.Sequential(
            *blocks, make_normalisation(attn_norm, channels)
        )
        self.conv_proj: ConvLayer = ConvLayer(channels, channels, 1)
        self.fusion: ConvLayer = ConvLayer(2 * channels, channels, 1, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        y: Tensor = self.conv_proj(self.global_rep(x))
        fused: Tensor = self.fusion(torch.cat((x, y), dim=1))
        return fused


class Encoder(nn.Module):
    """The network up to ``layer_5``, which dense tasks share with classification.

    Input: B x 3 x H x W, RGB in 0..1.  ``output_stride`` is how much smaller the maps of
    ``layer_5`` are, 32 or 16.  At 16 its first inverted residual has stride 1, and nothing is
    dilated, as in the published code.
    """

    _STAGE_BLOCKS = (2, 4, 3)

    def __init__(
        self,
        variant: Variant,
        activation: str,
        attn_norm: str,
        mixer: str = "aff",
        image_size: tuple[int, int] = IMAGE_SIZE,
        output_stride: int = 32,
    ) -> None:
        super().__init__()
        self.variant = variant
        self.activation = activation
        self.attn_norm = attn_norm
        self.mixer = mixer
        c1, c2, c3, c4, c5 = variant.channels
        strides = (4, 8, 16, output_stride)  # from the image to the maps of layer_2 .. layer_5

        def residual(in_channels: int, out_channels: int, stride: int) -> InvertedResidual:
            return InvertedResidual(
                in_channels,
                out_channels,
                stride=stride,
                expansion=variant.expansion,
                activation=activation,
            )

        def stage(index: int, in_channels: int, channels: int) -> nn.Sequential:
            before, stride = strides[index : index + 2]
            height, width = (side // stride for side in image_size)
            blocks = self._STAGE_BLOCKS[index]
            return nn.Sequential(
                residual(in_channels, channels, stride // before),
                AFFStage(channels, blocks, activation, attn_norm, mixer, (height, width)),
            )

        self.conv_1: ConvLayer = ConvLayer(3, 16, 3, stride=2, activation=activation)
        self.layer_1: nn.Sequential = nn.Sequential(residual(16, c1, 1))
        self.layer_2: nn.Sequential = nn.Sequential(
            residual(c1, c2, 2), residual(c2, c2, 1), residual(c2, c2, 1)
        )
        self.layer_3: nn.Sequential = stage(0, c2, c3)
        self.layer_4: nn.Sequential = stage(1, c3, c4)
        self.layer_5: nn.Sequential = stage(2, c4, c5)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of ``layer_4`` (stride 16) and of ``layer_5`` (the output stride)."""
        x = self.layer_2(self.layer_1(self.conv_1(x)))
        middle: Tensor = self.layer_4(self.layer_3(x))
        return middle, self.layer_5(middle)


class AFFNet(Encoder):
    """The classification network.

    Input: B x 3 x H x W, RGB in 0..1.  Output: B x ``num_classes`` logits.
    """

    DEFAULT_SIZE = IMAGE_SIZE

    def __init__(
        self,
        variant: Variant,
        num_classes: int,
        activation: str,
        attn_norm: str,
        mixer: str = "aff",
        image_size: tuple[int, int] = IMAGE_SIZE,
    ) -> None:
        super().__init__(variant, activation, attn_norm, mixer, image_size)
        self.num_classes = num_classes
        channels = variant.channels[-1]
        self.conv_1x1_exp: ConvLayer = ConvLayer(
            channels, variant.head_channels, 1, activation=activation
        )
        self.classifier: nn.Sequential = nn.Sequential(
            OrderedDict(fc=nn.Linear(variant.head_channels, num_classes))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W images to B x num_classes logits."""
        _, x = self.features(x)
        x = self.conv_1x1_exp(x)
        logits: Tensor = self.classifier(x.mean(dim=(-2, -1)))
        return logits
