"""Peers from their transformers implementations, with random weights."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from affnet.errors import UnknownNameError, require
from affnet.model.peers.registry import PEER_CLASSES, PEERS
from affnet.silence import silenced


class LogitsOnly(nn.Module):
    """A transformers classifier that returns its logits tensor instead of a record."""

    def __init__(self, model: nn.Module, output: str = "logits") -> None:
        super().__init__()
        self.model = model
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W images to B x classes logits."""
        logits: Tensor = getattr(self.model(pixel_values=x), self.output)
        return logits


def create_peer(name: str) -> LogitsOnly:
    """Build the peer called ``name`` with random weights, in eval mode.

    Raises:
        UnknownNameError: no such peer.
        MissingError: transformers is not installed.
    """
    if name not in PEERS:
        raise UnknownNameError("peer", name, PEERS)
    peer = PEERS[name]
    transformers = import_transformers(f"Building {name}")
    with silenced():
        config = getattr(transformers, peer.config_class)(num_labels=PEER_CLASSES, **peer.config)
        model = getattr(transformers, peer.model_class)(config)
    return LogitsOnly(model, peer.output).eval()


def import_transformers(purpose: str) -> Any:
    """Return the package transformers.

    Raises:
        MissingError: it is not installed.
    """
    require("transformers", extra="peers", purpose=purpose)
    with silenced():  # it imports torchao where litert-torch brought it, which is noisy
        import transformers
    return transformers
