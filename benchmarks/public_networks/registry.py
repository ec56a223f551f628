"""The list of networks that `python -m benchmarks.public_networks` exports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

Built = tuple[nn.Module, Any]  # a network, and its example input, or a tuple of inputs
Build = Callable[[], Built]


@dataclass(frozen=True)
class PublicNetwork:
    """A network, the package that it is from, and the function that builds it."""

    title: str
    package: str
    build: Build

    @property
    def source(self) -> str:
        """The function as ``affnet export`` takes it."""
        return f"{self.build.__module__}:{self.build.__name__}"


#: By the name of the function that builds it.
NETWORKS: dict[str, PublicNetwork] = {}
#: An FNO, Vocos, a convolution by FFT, LaMa's FFC, FNet and a log-mel front end.
ZOO = ("fno", "vocos_head", "convolution", "fourier_convolution", "fnet", "log_mel")


def network(title: str, package: str) -> Callable[[Build], Build]:
    """Return a decorator that adds a function to `NETWORKS`, with random weights of one seed."""

    def add(build: Build) -> Build:
        @wraps(build)
        def seeded() -> Built:
            torch.manual_seed(0)
            return build()

        if build.__name__ in NETWORKS:
            raise ValueError(f"two networks are called {build.__name__}")
        NETWORKS[build.__name__] = PublicNetwork(title, package, seeded)
        return seeded

    return add


class Calling(nn.Module):
    """A function of tensors as a network, with the modules that it calls."""

    def __init__(self, function: Callable[..., Any], *modules: nn.Module) -> None:
        super().__init__()
        self.function, self.called = function, nn.ModuleList(modules)

    def forward(self, *inputs: Tensor) -> Any:
        """Return what the function does."""
        return self.function(*inputs)
