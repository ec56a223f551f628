"""Peers of segmentation: DeepLabv3 on MobileViT and on MobileNetV2, as transformers builds them.

Their numbers are those of Pascal VOC's validation set at 512 px and an output stride of 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.model.dense.base import DenseNetwork
from affnet.model.dense.deeplabv3 import scores_spec
from affnet.model.peers.building import import_transformers
from affnet.model.peers.registry import PEERS
from affnet.model.published import Published
from affnet.silence import silenced

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

    def __init__(self, model: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.model = model
        self.num_classes = num_classes

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W images to B x num_classes x H x W scores."""
        scores: Tensor = self.model(pixel_values=x).logits
        return F.interpolate(scores, size=x.shape[-2:], mode="bilinear", align_corners=False)

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """See `DenseNetwork.output_specs`."""
        return (scores_spec(self.num_classes, height, width),)


def create_segmentation_peer(name: str) -> UpsampledScores:
    """Build one of `SEGMENTATION_PEERS` with random weights, in eval mode.

    Raises:
        MissingError: transformers is not installed.
    """
    encoder = PEERS[SEGMENTATION_PEERS[name].encoder]
    transformers = import_transformers(f"Building {name}")
    settings: dict[str, Any] = {"num_labels": SEGMENTATION_CLASSES, "output_stride": _OUTPUT_STRIDE}
    with silenced():
        config = getattr(transformers, encoder.config_class)(**{**encoder.config, **settings})
        build = getattr(transformers, f"{encoder.family}ForSemanticSegmentation")
        return UpsampledScores(build(config), SEGMENTATION_CLASSES).eval()
