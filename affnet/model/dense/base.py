"""What networks for dense tasks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn

from affnet.artifact import TensorSpec


class DenseNetwork(nn.Module, ABC):
    """A network whose outputs belong to places in the image, so that their shapes follow its size.

    Input: B x 3 x H x W, RGB in 0..1.
    """

    task: ClassVar[str]  # of `affnet.artifact.TASKS`
    DEFAULT_SIZE: ClassVar[tuple[int, int]]  # of an export's images: height and width
    num_classes: int

    @abstractmethod
    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """Return what it gives, in eval mode, for one image of this size."""
