"""Networks to compare with, from their transformers implementations, with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from affnet.errors import UnknownNameError, require
from affnet.model.published import Published
from affnet.silence import silenced

PEER_CLASSES = 1000  # ImageNet-1K, as published
_MOBILEVIT = "arXiv 2110.02178, ImageNet-1K, 256 px; counts quoted by arXiv 2307.14008"


@dataclass(frozen=True)
class Peer:
    """A peer: the class and the config that transformers builds it from."""

    name: str
    config_class: str
    model_class: str
    config: dict[str, Any]
    published: Published


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            "mobilevit_xxs",
            "MobileViTConfig",
            "MobileViTForImageClassification",
            {
                "hidden_sizes": [64, 80, 96],
                "neck_hidden_sizes": [16, 16, 24, 48, 64, 80, 320],
                "expand_ratio": 2.0,
            },
            Published(69.0, 1.3, 0.4, _MOBILEVIT),
        ),
        Peer(
            "mobilevit_xs",
            "MobileViTConfig",
            "MobileViTForImageClassification",
            {
                "hidden_sizes": [96, 120, 144],
                "neck_hidden_sizes": [16, 32, 48, 64, 80, 96, 384],
                "expand_ratio": 4.0,
            },
            Published(74.8, 2.3, 1.0, _MOBILEVIT),
        ),
        Peer(
            "mobilevit_s",
            "MobileViTConfig",
            "MobileViTForImageClassification",
            {
                "hidden_sizes": [144, 192, 240],
                "neck_hidden_sizes": [16, 32, 64, 96, 128, 160, 640],
                "expand_ratio": 4.0,
            },
            Published(78.4, 5.6, 2.0, _MOBILEVIT),
        ),
    )
}


class LogitsOnly(nn.Module):
    """A transformers classifier that returns its logits tensor instead of a record."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W images to B x `PEER_CLASSES` logits."""
        logits: Tensor = self.model(pixel_values=x).logits
        return logits


def create_peer(name: str) -> nn.Module:
    """Build the peer called ``name`` with random weights, in eval mode.

    Raises:
        UnknownNameError: no such peer.
        MissingError: transformers is not installed.
    """
    if name not in PEERS:
        raise UnknownNameError("peer", name, PEERS)
    require("transformers", extra="peers", purpose=f"Building {name}")
    peer = PEERS[name]
    with silenced():  # transformers imports torchao where litert-torch brought it, which is noisy
        import transformers

        config = getattr(transformers, peer.config_class)(num_labels=PEER_CLASSES, **peer.config)
        return LogitsOnly(getattr(transformers, peer.model_class)(config)).eval()
