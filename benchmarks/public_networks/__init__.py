"""Networks of public packages, as their users build them; ``python -m`` this exports them."""

from benchmarks.public_networks import (
    audio,
    convolutions,
    equations,
    images,
    instruments,
    long_filters,
    neural_operators,
    optics,
    sequences,
    series,
    spectrograms,
    synthesis,
    transforms,
)
from benchmarks.public_networks.registry import NETWORKS, ZOO, PublicNetwork

__all__ = [
    "NETWORKS",
    "ZOO",
    "PublicNetwork",
    "audio",
    "convolutions",
    "equations",
    "images",
    "instruments",
    "long_filters",
    "neural_operators",
    "optics",
    "sequences",
    "series",
    "spectrograms",
    "synthesis",
    "transforms",
]
