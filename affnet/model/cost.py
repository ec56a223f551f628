"""What a network costs to store and to run, counted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """Return the number of trained values, without buffers."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, shape: Sequence[int]) -> int:
    """Return the multiply-accumulates of an input of ``shape`` in convolutions and matrix products.

    Elementwise work and FFTs (where the network still has some) are not counted.
    """
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(torch.zeros(*shape))
    return int(counter.get_total_flops()) // 2
