"""What a network costs to store and to run, counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Size, Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count


def _attention_flops(query: Size, key: Size, value: Size, *_: object, **__: object) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


# what FlopCounterMode passes over
_UNCOUNTED = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}


def count_parameters(model: nn.Module) -> int:
    """Return the number of trained values, without buffers."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, inputs: Sequence[Tensor | NDArray[Any]]) -> int:
    """Return the multiply-accumulates of convolutions and matrix products, for these inputs.

    Elementwise work and FFTs (where the network still has some) are not counted.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_UNCOUNTED)
    with counter, torch.no_grad():
        model(*map(torch.as_tensor, inputs))
    return int(counter.get_total_flops()) // 2
