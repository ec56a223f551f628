"""Networks to compare with: rivals of AFFNet that a phone can carry, from transformers.

`registry` names them with their published configuration and numbers; `building` makes them.
"""

from affnet.model.peers.building import create_peer, quieten_residuals
from affnet.model.peers.registry import PEER_CLASSES, PEERS, Peer

__all__ = ["PEERS", "PEER_CLASSES", "Peer", "create_peer", "quieten_residuals"]
