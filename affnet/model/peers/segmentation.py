"""Peers of segmentation: DeepLabv3 on MobileViT and on MobileNetV2, as transformers builds them.

Their numbers are those of Pascal VOC's validation set at 512 px and an output stride of 16.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.model.dense.base import DenseNetwork
from affnet.model.dense.deeplabv3 import scores_spec
from affnet.model.peers.blueprint import Blueprint, build, build_filled
from affnet.model.peers.pretrained import Pretrained
from affnet.model.peers.registry import PEERS
from affnet.model.published import Published

SEGMENTATION_CLASSES = 21  # of Pascal VOC, with the background
_OUTPUT_STRIDE = 16
_MOBILEVIT = "arXiv 2110.02178 and the model cards of transformers' weights, Pascal VOC, 512 px"
_MOBILENET = "arXiv 1801.04381, table 7, without ASPP, Pascal VOC, 513 px"


@dataclass(frozen=True)
class SegmentationPeer:
    """A peer: whose encoder it has, and what its authors report of it."""

    encoder: str  # one of the peers of classification
    published: Published


#: The published parameters of mobilenet_v2_deeplabv3 leave out its encoder's last convolution,
#: 0.41 M, which transformers keeps and does not use.
SEGMENTATION_PEERS: dict[str, SegmentationPeer] = {
    f"{peer.encoder}_deeplabv3": peer
    for peer in (
        SegmentationPeer("mobilevit_xxs", Published(None, 1.9, None, _MOBILEVIT, 73.6)),
        SegmentationPeer("mobilevit_xs", Published(None, 2.9, None, _MOBILEVIT, 77.1)),
        SegmentationPeer("mobilevit_s", Published(None, 6.4, None, _MOBILEVIT, 79.1)),
        SegmentationPeer("mobilenet_v2", Published(None, 2.11, 2.75, _MOBILENET, 75.32)),
    )
}


class UpsampledScores(DenseNetwork):
    """A segmentation network of transformers, whose scores are brought to the image's size."""

    task = "segmentation"
    DEFAULT_SIZE = (512, 512)

    def __init__(self, model: nn.Module, num_classes: int, pixels: nn.Module | None = None) -> None:
        super().__init__()
        self.pixels = pixels or nn.Identity()
        self.model = model
        self.num_classes = num_classes

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W images to B x num_classes x H x W scores."""
        scores: Tensor = self.model(pixel_values=self.pixels(x)).logits
        return F.interpolate(scores, size=x.shape[-2:], mode="bilinear", align_corners=False)

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """See `DenseNetwork.output_specs`."""
        return (scores_spec(self.num_classes, height, width),)


def create_segmentation_peer(name: str) -> UpsampledScores:
    """Build one of `SEGMENTATION_PEERS` with random weights, in eval mode.

    Raises:
        MissingError: transformers is not installed.
    """
    return UpsampledScores(build(_blueprint(name)), SEGMENTATION_CLASSES).eval()


def load_segmentation_peer(
    name: str, pretrained: Pretrained
) -> tuple[UpsampledScores, tuple[str, ...] | None]:
    """Build one of `SEGMENTATION_PEERS` with a user's weights, in eval mode.

    Returns:
        The network, and the names of the classes where the config has them.

    Raises:
        MissingError: transformers is not installed.
        CheckpointError: the weights are not this peer's.
    """
    filled = build_filled(_blueprint(name), pretrained)
    network = UpsampledScores(filled.model, filled.classes, pretrained.pixels)
    return network.eval(), filled.labels


def _blueprint(name: str) -> Blueprint:
    encoder = PEERS[SEGMENTATION_PEERS[name].encoder]
    return Blueprint(
        name,
        encoder.config_class,
        f"{encoder.family}ForSemanticSegmentation",
        {**encoder.config, "output_stride": _OUTPUT_STRIDE},
        SEGMENTATION_CLASSES,
    )
