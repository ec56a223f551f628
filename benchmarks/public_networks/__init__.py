"""Networks of public packages, as their users build them; ``python -m`` this exports them."""

from benchmarks.public_networks import (
    audio,
    brain_signals,
    convolutions,
    equations,
    forecasts,
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
    voices,
)
from benchmarks.public_networks.registry import NETWORKS, ZOO, PublicNetwork

__all__ = [
    "NETWORKS",
    "ZOO",
    "PublicNetwork",
    "audio",
    "brain_signals",
    "convolutions",
    "equations",
    "forecasts",
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
    "voices",
]
