"""Frames of a signal, as what a tensor is known to hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch.fx import Node

from affnet.export.fourier.plans.matrices import Matrix


@dataclass(frozen=True)
class Frames:
    """Frames of ``size`` samples of the last axis of ``signal``, one each ``step`` samples.

    ``made`` is the node that holds them.
    """

    signal: Node
    made: Node
    size: int
    step: int
    window: Matrix | None = None  # what they are multiplied by

    def count(self, length: int) -> int:
        """Return how many frames a signal of ``length`` has."""
        return (length - self.size) // self.step + 1

    def weights(self) -> Matrix:
        """Return the window, ones where there is none."""
        return np.ones(self.size) if self.window is None else self.window

    def times(self, window: Matrix) -> Frames:
        """Return the frames times ``window``."""
        return replace(self, window=self.weights() * window)
