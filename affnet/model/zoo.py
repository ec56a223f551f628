"""The zoo: every network that can be measured without a file, AFFNet's variants and the peers."""

from __future__ import annotations

from collections.abc import Sequence

from affnet.errors import UnknownNameError
from affnet.model.peers import PEERS
from affnet.model.peers.libraries import is_of_library
from affnet.model.variants import VARIANTS

ZOO = (*VARIANTS, *PEERS)


def choose(only: Sequence[str] | None, reference: str) -> list[str]:
    """Return the networks to measure, the reference first; ``only`` may name a library's too.

    Raises:
        UnknownNameError: a name that is not in the zoo.
    """
    for name in (*(only or ()), reference):
        if name not in ZOO and not is_of_library(name):
            raise UnknownNameError("network of the zoo", name, ZOO)
    return list(dict.fromkeys([reference, *(only or ZOO)]))
