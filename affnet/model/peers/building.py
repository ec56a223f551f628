"""Peers of classification from their transformers implementations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affnet.errors import UnknownNameError
from affnet.model.peers import mobilevitv2
from affnet.model.peers.blueprint import Blueprint, build, build_filled
from affnet.model.peers.pretrained import Pretrained
from affnet.model.peers.registry import PEER_CLASSES, PEERS, Peer

_QUIET = 0.2


class LogitsOnly(nn.Module):
    """A transformers classifier that returns its logits tensor instead of a record."""

    def __init__(
        self, model: nn.Module, output: str = "logits", pixels: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.pixels = pixels or nn.Identity()
        self.model = model
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W images to B x classes logits."""
        logits: Tensor = getattr(self.model(pixel_values=self.pixels(x)), self.output)
        return logits


def create_peer(name: str) -> LogitsOnly:
    """Build the peer called ``name`` with random weights, in eval mode.

    Raises:
        UnknownNameError: no such peer.
        MissingError: transformers is not installed.
    """
    peer = _find(name)
    return as_network(build(_blueprint(peer)), peer.output)


def load_peer(name: str, pretrained: Pretrained) -> tuple[LogitsOnly, int, tuple[str, ...] | None]:
    """Build the peer called ``name`` with a user's weights, in eval mode.

    Returns:
        The network, its class count, and the names of the classes where the config has them.

    Raises:
        UnknownNameError: no such peer.
        MissingError: transformers is not installed.
        CheckpointError: the weights are not this peer's.
    """
    peer = _find(name)
    filled = build_filled(_blueprint(peer), pretrained)
    network = as_network(filled.model, peer.output, pretrained.pixels)
    return network, filled.classes, filled.labels


def as_network(
    model: nn.Module, output: str = "logits", pixels: nn.Module | None = None
) -> LogitsOnly:
    """Return a classifier of transformers in eval mode as the formats can hold it."""
    mobilevitv2.simplify(model)
    return LogitsOnly(model, output, pixels).eval()


def balance(model: nn.Module, peer: Peer) -> None:
    """Scale random parameters, in place, so that the signal neither grows nor fades with depth.

    Drawn like all others, the ends of residual branches that start at zero double the variance at
    each block, until attention's logits are so large that its softmax picks one token, and which
    one is float32's rounding.  Hard-swish and gates do the contrary: beside the biases nothing is
    left of the image, and any file would agree with the network.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(peer.zero_at_start):
                parameter.mul_(_QUIET)
            elif name.endswith("normalization.weight"):
                parameter.mul_(peer.gain)


def _find(name: str) -> Peer:
    if name not in PEERS:
        raise UnknownNameError("peer", name, PEERS)
    return PEERS[name]


def _blueprint(peer: Peer) -> Blueprint:
    return Blueprint(peer.name, peer.config_class, peer.model_class, peer.config, PEER_CLASSES)
