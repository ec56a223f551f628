"""Peers of detection: SSDLite on MobileViT, put together from two parts.

transformers has MobileViT, but no SSDLite.  The head is the one that this package has for AFFNet,
whose published code took it over from that of MobileViT; its activation is ReLU, the default of the
published ``config/detection/ssd_mobilevit_small_320.yaml``.  Their numbers are those of COCO's
validation set at 320 px.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from affnet.model.dense.ssdlite import SingleShotDetector
from affnet.model.peers.blueprint import Blueprint, build
from affnet.model.peers.registry import PEERS
from affnet.model.published import Published

DETECTION_CLASSES = 81  # of COCO, with the background
_HEAD_ACTIVATION = "relu"
_PAPER = "arXiv 2110.02178, table 1, COCO, 320 px"
_REPOSITORY = "github.com/apple/ml-cvnets, examples/README-mobilevit.md of v0.1, COCO, 320 px"


@dataclass(frozen=True)
class DetectionPeer:
    """A peer: whose encoder it has, and what its authors report of it."""

    encoder: str  # one of the peers of classification
    published: Published


DETECTION_PEERS: dict[str, DetectionPeer] = {
    f"{peer.encoder}_ssdlite": peer
    for peer in (
        DetectionPeer("mobilevit_xxs", Published(None, 1.8, None, _REPOSITORY, map_percent=19.9)),
        DetectionPeer("mobilevit_xs", Published(None, 2.7, None, _PAPER, map_percent=24.8)),
        DetectionPeer("mobilevit_s", Published(None, 5.7, None, _PAPER, map_percent=27.7)),
    )
}


class MobileViTMaps(nn.Module):
    """The layers of transformers' MobileViT up to its maps of stride 32, without what follows."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.conv_stem = cast(nn.Module, model.conv_stem)
        self.layer = cast(nn.ModuleList, model.get_submodule("encoder.layer"))

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map B x 3 x H x W images to the maps of stride 16 and of stride 32."""
        x = self.conv_stem(x)
        *layers, last = self.layer
        for layer in layers:
            x = layer(x)
        return x, last(x)


def create_detection_peer(name: str) -> SingleShotDetector:
    """Build one of `DETECTION_PEERS` with random weights, in eval mode.

    Raises:
        MissingError: transformers is not installed.
    """
    encoder = PEERS[DETECTION_PEERS[name].encoder]
    blueprint = Blueprint(
        name, encoder.config_class, f"{encoder.family}Model", encoder.config, DETECTION_CLASSES
    )
    widths = encoder.config["neck_hidden_sizes"][4:6]  # of the last two layers
    maps = MobileViTMaps(build(blueprint))
    return SingleShotDetector(maps, widths, DETECTION_CLASSES, _HEAD_ACTIVATION).eval()
