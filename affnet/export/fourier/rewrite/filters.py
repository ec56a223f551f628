"""A filter of signals, as a product with a constant spectrum between two transforms is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.fx import Node

from affnet.export.fourier.rewrite.emitter import Emitter

aten = torch.ops.aten


@dataclass(frozen=True)
class Filter:
    """y[t] = sum of taps[.., d - lags[0]] x[t - d]: a filter for each channel."""

    x: Node  # the values of the signal that are not zero
    given: tuple[int, int]  # where they stand
    wanted: tuple[int, int]  # the results that are read
    taps: NDArray[np.float64]  # channels x lags
    lags: tuple[int, int]
    rows: int

    @property
    def count(self) -> int:
        """How many results of each channel are read."""
        return self.wanted[1] - self.wanted[0]


def between(emitter: Emitter, x: Node, given: tuple[int, int], begin: int, end: int) -> Node:
    """Return a signal, zero beyond ``given``, from ``begin`` to ``end``."""
    first, last = max(begin, given[0]), min(end, given[1])
    if (first, last) != given:
        x = emitter.call(aten.slice.Tensor, x, -1, first - given[0], last - given[0])
    amounts = [first - begin, end - last]
    return emitter.call(aten.constant_pad_nd.default, x, amounts) if any(amounts) else x
