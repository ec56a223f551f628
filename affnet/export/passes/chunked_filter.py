"""Frequency filters of large maps in groups of channels whose maps fit a core's cache."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from affnet.export.fourier.plans.base import DFTPlan
from affnet.model.mixer import AdaptiveFrequencyFilter, BufferList


class ChunkedFilter(nn.Module):
    """A frozen `AdaptiveFrequencyFilter`, its channel blocks in chunks, one after the other.

    The transform treats each channel, and the channel MLP each of its 8 blocks, by itself, so that
    the filter of all blocks is the filters of some of them side by side, with the same arithmetic.
    """

    def __init__(self, mixer: AdaptiveFrequencyFilter, count: int) -> None:
        super().__init__()
        assert mixer.frozen is not None  # `fold_linear_maps` comes first
        constants = [constant.chunk(count) for constant in mixer.frozen.buffers()]
        self.chunks = nn.ModuleList(
            _with_constants(mixer, list(parts), count) for parts in zip(*constants, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape, in float32."""
        parts = x.chunk(len(self.chunks), dim=1)
        results = [chunk(part) for chunk, part in zip(self.chunks, parts, strict=True)]
        return torch.cat(results, dim=1)


def _with_constants(
    mixer: AdaptiveFrequencyFilter, constants: list[Tensor], count: int
) -> AdaptiveFrequencyFilter:
    part = AdaptiveFrequencyFilter(mixer.NUM_BLOCKS, "relu")  # all of it is replaced
    part.NUM_BLOCKS = mixer.NUM_BLOCKS // count  # of this one
    part.act = mixer.act
    part.transform = copy.copy(mixer.transform)
    part.frozen = BufferList(constants)
    return part


def chunk_filters(model: nn.Module, most_bytes: int) -> None:
    """Divide the filters of large maps that have a DFT plan, in place.

    ``most_bytes`` is the size in float32 of the largest map that one chunk takes.  Where dividing
    begins to pay depends on how a runtime slices channels.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, AdaptiveFrequencyFilter):
                count = _count(child, most_bytes)
                if count > 1:
                    setattr(module, name, ChunkedFilter(child, count).eval())


def _count(mixer: AdaptiveFrequencyFilter, most_bytes: int) -> int:
    """Return 1, 2, 4 or 8, the fewest chunks that are small enough."""
    plan, channels = mixer.transform, mixer.w1.shape[-1] * mixer.NUM_BLOCKS
    count = 1
    if isinstance(plan, DFTPlan):
        map_bytes = 4 * channels * plan.height * plan.width
        while count < mixer.NUM_BLOCKS and map_bytes > count * most_bytes:
            count *= 2
    return count
