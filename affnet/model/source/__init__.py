"""SOURCE, as the command line takes it: a checkpoint, a name, or a network of the user's own."""

from affnet.model.source.base import OWN_WEIGHTS, Source
from affnet.model.source.loading import (
    check_source,
    load_source,
    reload_source,
    source_names,
)
from affnet.model.source.peers import is_peer

__all__ = [
    "OWN_WEIGHTS",
    "Source",
    "check_source",
    "is_peer",
    "load_source",
    "reload_source",
    "source_names",
]
