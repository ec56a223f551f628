"""A network of one AFF stage, so that what does not depend on depth is tested in a second."""

from __future__ import annotations

from unittest import mock

import torch
from torch import Tensor, nn

from affnet.artifact import Provenance, image_spec, logits_spec
from affnet.model.layers import ConvLayer
from affnet.model.network import AFFNet, AFFStage
from affnet.model.random_weights import randomise
from affnet.model.source import Source, load_source

CLASSES = 5


class TinyNet(nn.Module):
    """A strided convolution, one stage on maps of an eighth of the image, and a classifier."""

    def __init__(self, activation: str = "swish", attn_norm: str = "layer_norm_2d") -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 8, stride=8)
        self.conv = ConvLayer(16, 16, 1, activation=activation)
        self.stage = AFFStage(16, 1, activation, attn_norm)
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(self.stage(self.conv(self.stem(x))).mean(dim=(-2, -1)))
        return y


def tiny_net(activation: str = "swish", attn_norm: str = "layer_norm_2d") -> TinyNet:
    """Return the network in eval mode, with weights that exercise every part."""
    net = TinyNet(activation, attn_norm)
    randomise(net)
    return net.eval()


def with_image() -> tuple[TinyNet, Tensor]:
    """Return the network and an image, as ``affnet export tests.tiny:with_image`` asks."""
    return tiny_net(), torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def short_source() -> Source:
    """Return AFFNet-ET with random weights and one block a stage: all its operators and maps."""
    with mock.patch.object(AFFNet, "_STAGE_BLOCKS", (1, 1, 1)):
        return load_source("affnet_et")


class Determinant(nn.Module):
    """An operator that no mobile format holds."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.det(x)


def determinant() -> tuple[Determinant, Tensor]:
    """Return a network that cannot be converted, and its example."""
    return Determinant(), torch.eye(3)[None]


def tiny_source() -> Source:
    """Return the network as a source called ``tiny``, for 32 x 32 images."""
    return Source(
        model=tiny_net(),
        name="tiny",
        provenance=Provenance("variant", "tiny", "random (seed 0)", None, {}),
        inputs=(image_spec(32, 32),),
        outputs=(logits_spec(CLASSES),),
        labels=None,
        published=None,
        notes=(),
    )


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Draw standard normal values, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
