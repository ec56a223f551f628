"""Networks to compare with: rivals of AFFNet that a phone can carry, from transformers.

`registry` names them with their published configuration and numbers; `building` makes them;
`segmentation` and `detection` have those of dense tasks; `pretrained` reads a user's weights.
"""

from affnet.model.peers.building import balance, create_peer, load_peer
from affnet.model.peers.detection import (
    DETECTION_CLASSES,
    DETECTION_PEERS,
    create_detection_peer,
)
from affnet.model.peers.pretrained import Pretrained, read_pretrained
from affnet.model.peers.registry import PEER_CLASSES, PEERS, Peer
from affnet.model.peers.segmentation import (
    SEGMENTATION_CLASSES,
    SEGMENTATION_PEERS,
    create_segmentation_peer,
    load_segmentation_peer,
)

__all__ = [
    "DETECTION_CLASSES",
    "DETECTION_PEERS",
    "PEERS",
    "PEER_CLASSES",
    "SEGMENTATION_CLASSES",
    "SEGMENTATION_PEERS",
    "Peer",
    "Pretrained",
    "create_detection_peer",
    "create_peer",
    "create_segmentation_peer",
    "load_peer",
    "load_segmentation_peer",
    "balance",
    "read_pretrained",
]
