"""The zoo: every network that can be measured without a file, AFFNet's variants and the peers."""

from __future__ import annotations

from collections.abc import Sequence

from affnet.errors import UnknownNameError
from affnet.model.peers import DETECTION_PEERS, PEERS, SEGMENTATION_PEERS
from affnet.model.peers.libraries import is_of_library
from affnet.model.variants import VARIANTS, rival_of

ZOO = (*VARIANTS, *PEERS)


def peer_of(network: str) -> str | None:
    """Return the MobileViT that a network is compared with, None if it has none.

    ``network`` is a variant, or one with a head or another mixer: that of
    ``affnet_et_deeplabv3`` is ``mobilevit_xxs_deeplabv3``.
    """
    rival = rival_of(network)
    return rival if rival in (*PEERS, *SEGMENTATION_PEERS, *DETECTION_PEERS) else None


def choose(only: Sequence[str] | None, reference: str) -> list[str]:
    """Return the networks to measure, the reference first; ``only`` may name a library's too.

    Raises:
        UnknownNameError: a name that is not in the zoo.
    """
    for name in (*(only or ()), reference):
        if name not in ZOO and not is_of_library(name):
            raise UnknownNameError("network of the zoo", name, ZOO)
    return list(dict.fromkeys([reference, *(only or ZOO)]))
