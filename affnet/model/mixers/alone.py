"""A token mixer as a network of its own, to be exported and measured."""

from __future__ import annotations

from torch import Tensor, nn

from affnet.artifact import Provenance, TensorSpec
from affnet.model.mixers import create_mixer, in_residual
from affnet.model.random_weights import randomise
from affnet.model.source import Source

_SEED = 0


class MixerAlone(nn.Module):
    """A mixer with its residual connection, as it stands in a block; one image's maps at a time."""

    def __init__(
        self, name: str, channels: int, size: tuple[int, int], channels_last: bool
    ) -> None:
        super().__init__()
        self.filter = in_residual(create_mixer(name, channels, size))
        self.channels_last = channels_last

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W, or B x H x W x C where channels are last, to the same shape."""
        if not self.channels_last:
            return self.filter(x)  # type: ignore[no-any-return]  # a module's result
        y: Tensor = self.filter(x.permute(0, 3, 1, 2))
        return y.permute(0, 2, 3, 1)


def mixer_source(
    name: str, channels: int, size: tuple[int, int], *, channels_last: bool = False
) -> Source:
    """Return the mixer called ``name``, with random weights, as a network of one image's maps.

    ``channels_last`` is for formats that keep maps so between their operators: with the other
    order at its borders, a file would begin and end with transposes that a network has not got.

    Raises:
        UsageError: as `create_mixer`.
    """
    height, width = size
    network = MixerAlone(name, channels, size, channels_last)
    randomise(network, _SEED)
    axes = (height, width, channels) if channels_last else (channels, height, width)
    location = f"{name}-{channels}x{height}x{width}"
    return Source(
        model=network.eval(),
        name=location,
        provenance=Provenance("mixer", location, f"random (seed {_SEED})", None, {}),
        inputs=(TensorSpec("maps", (1, *axes), "float32"),),
        outputs=(TensorSpec("mixed", (1, *axes), "float32"),),
        labels=None,
        published=None,
        notes=(),
        task="other",
    )
