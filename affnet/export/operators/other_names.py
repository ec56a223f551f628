"""Operators that compute what another does, which a recording of a network may hold.

Each is known to some converters only: coremltools has no ``unsafe_split``, which the gates of
recurrent layers are cut by, torch.onnx no ``select_copy``, litert-torch no ``narrow_copy``, and
no exporter the ``_convolution`` of a TorchScript network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from affnet.export.operators.rule import Rule

aten = torch.ops.aten


def _reshape(x: Tensor, size: Sequence[int], _: Sequence[int]) -> Tensor:
    return x.reshape(size)  # the strides, not taken, are those of contiguous memory


def _convolution(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
    result: Tensor = aten.convolution.default(x, weight, *rest[:7])  # without cuDNN's settings
    return result


RULES: dict[Any, Rule] = {
    aten._convolution.default: _convolution,
    aten._reshape_alias.default: _reshape,
    aten.narrow_copy.default: aten.narrow.default,
    aten.select_copy.int: aten.select.int,
    aten.slice_copy.Tensor: aten.slice.Tensor,
    aten.split_copy.Tensor: aten.split.Tensor,
    aten.split_with_sizes_copy.default: aten.split_with_sizes.default,
    aten.unbind_copy.int: aten.unbind.int,
    aten.unfold_copy.default: aten.unfold.default,
    aten.unsafe_split.Tensor: aten.split.Tensor,
    aten.unsafe_split_with_sizes.default: aten.split_with_sizes.default,
}
