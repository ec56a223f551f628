"""Peers from their transformers implementations, with random weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from affnet.errors import UnknownNameError, require
from affnet.model.peers import mobilevitv2
from affnet.model.peers.registry import PEER_CLASSES, PEERS, Peer
from affnet.silence import silenced

_QUIET = 0.2


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
    return as_network(model, peer.output)


def as_network(model: nn.Module, output: str = "logits") -> LogitsOnly:
    """Return a classifier of transformers in eval mode as the formats can hold it."""
    mobilevitv2.simplify(model)
    return LogitsOnly(model, output).eval()


def quieten_residuals(model: nn.Module, peer: Peer) -> None:
    """Scale down, in place, the parameters at the ends of residual branches that start at zero.

    Drawn like all others they double the variance at each block, until attention's logits are so
    large that its softmax picks one token, and which one is float32's rounding.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(peer.zero_at_start):
                parameter.mul_(_QUIET)


def import_transformers(purpose: str) -> Any:
    """Return the package transformers.

    Raises:
        MissingError: it is not installed.
    """
    require("transformers", extra="peers", purpose=purpose)
    with silenced():  # it imports torchao where litert-torch brought it, which is noisy
        import transformers
    return transformers
