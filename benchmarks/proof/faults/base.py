"""A fault that a converter could make, as two small networks: the right one and the wrong one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from benchmarks.proof.draw import DOMAINS, Draw

Function = Callable[[Tensor], Tensor]
Pair = tuple[Function, Function]  # the right one, the wrong one; a network is a function too

IMAGE = ("image",)
SOUND = ("audio", "pcm")


@dataclass(frozen=True)
class Fault:
    """Makes pairs that differ in exactly one thing."""

    name: str
    make: Callable[[Draw], Pair]
    domains: tuple[str, ...] = DOMAINS
    square: bool = False  # whether it needs height and width to be the same


def always(name: str, right: Function, wrong: Function, **options: object) -> Fault:
    """Return a fault that has nothing to draw."""
    return Fault(name, lambda _: (right, wrong), **options)  # type: ignore[arg-type]


class Apply(nn.Module):
    """A function of the input, and of layers if it has any, as a network."""

    def __init__(self, function: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Call it."""
        return self.function(x, *self.layers)


class Constant(nn.Module):
    """A tensor that a network holds."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)
