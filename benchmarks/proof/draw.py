"""What a network is drawn with: a seeded source of choices, and the domain of its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

#: What users feed: pictures, sound in -1..1, and sound as samples of 16 bits.
DOMAINS = ("image", "audio", "pcm")
_SIDES = (4, 5, 6, 8, 9, 12, 16, 24, 32)
_LENGTHS = (16, 21, 32, 48, 64, 100, 128, 255)


@dataclass(frozen=True)
class Draw:
    """The choices of one network; the same seed makes the same ones."""

    random: Random
    domain: str
    shape: tuple[int, ...]  # image: batch x 3 x height x width; else batch x samples

    @classmethod
    def of(cls, seed: str, domains: Sequence[str], square: bool = False) -> Draw:
        """Draw domain and shape, and seed torch, so that weights are the same too."""
        random = Random(seed)  # noqa: S311  # no secret
        torch.manual_seed(random.getrandbits(63))
        domain = random.choice(list(domains))
        batch = random.choice((1, 1, 1, 2))
        if domain != "image":
            return cls(random, domain, (batch, random.choice(_LENGTHS)))
        height = random.choice(_SIDES)
        width = height if square else random.choice(_SIDES)
        return cls(random, domain, (batch, 3, height, width))

    @property
    def last(self) -> int:
        """The length of the last axis."""
        return self.shape[-1]

    def choice(self, options: Sequence[T]) -> T:
        """Return one of ``options``."""
        return self.random.choice(list(options))

    def eps(self, largest: int = -4, smallest: int = -12) -> float:
        """Return a power of ten that keeps a logarithm or a quotient finite."""
        return float(f"1e{self.random.randint(smallest, largest)}")

    def example(self) -> Tensor:
        """Return the example input that a user would give with the network."""
        if self.domain == "image":
            return torch.rand(self.shape)
        noise = torch.randn(self.shape)
        return 0.1 * noise if self.domain == "audio" else (3000 * noise).round()
