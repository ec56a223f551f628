"""What every token mixer is, and says of itself."""

from __future__ import annotations

from typing import ClassVar, Self

from torch import Tensor, nn


class TokenMixer(nn.Module):
    """Maps B x C x H x W to the same shape, each pixel a token: N = H W of C channels."""

    source: ClassVar[str]  # the paper, and the place in it
    complexity: ClassVar[str]  # multiply-accumulates up to factors, in N tokens and C channels
    is_global: ClassVar[bool]  # whether each token reaches all others in one layer
    adapts: ClassVar[bool]  # whether the weights between tokens depend on the content
    adds_input: ClassVar[bool] = False  # whether the residual connection is part of it

    @classmethod
    def create(cls, channels: int, size: tuple[int, int], activation: str) -> Self:
        """Build one with random weights.

        ``size`` is the height and width of the maps that it is made for.  Where parameters or
        windows follow from it, the class says what other sizes it takes.
        """
        return cls(channels)


class InResidual(TokenMixer):
    """A mixer and its residual connection, x + mixer(x)."""

    adds_input = True

    def __init__(self, mixer: TokenMixer) -> None:
        super().__init__()
        self.mixer = mixer

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        y: Tensor = self.mixer(x)
        return x + y
