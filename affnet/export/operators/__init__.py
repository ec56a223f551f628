"""Operators that a format's converter gets wrong or lacks, written with those it gets right.

A rule is a function of the operator's own arguments that computes the same with other operators, as
torch's decompositions are; it returns NotImplemented where the operator is to stay.  Which rules a
format needs stands in `RULES`, with what was seen there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.export import ExportedProgram

from affnet.export.operators import (
    indexing,
    reciprocals,
    repetition,
    transposed_convolution,
    window_maxima,
)

Rule = Callable[..., Any]

aten = torch.ops.aten

#: By format, then by operator.
RULES: dict[str, dict[Any, Rule]] = {
    "coreml": {
        aten.reciprocal.default: reciprocals.reciprocal,
        aten.rsqrt.default: reciprocals.rsqrt,
    },
    "tflite": {
        aten._unsafe_view.default: aten.view.default,  # which torch.onnx lacks
        aten.adaptive_max_pool1d.default: window_maxima.adaptive_max_pool,
        aten.adaptive_max_pool2d.default: window_maxima.adaptive_max_pool,
        aten.adaptive_max_pool3d.default: window_maxima.adaptive_max_pool,
        aten.broadcast_to.default: repetition.expand,
        aten.conv_transpose1d.default: transposed_convolution.conv_transpose1d,
        aten.conv_transpose2d.input: transposed_convolution.conv_transpose2d,
        aten.expand.default: repetition.expand,
        aten.expand_as.default: repetition.expand_as,
        aten.index.Tensor: indexing.index,
        aten.max_pool1d_with_indices.default: window_maxima.max_pool_with_indices,
        aten.max_pool2d_with_indices.default: window_maxima.max_pool_with_indices,
        aten.max_pool3d_with_indices.default: window_maxima.max_pool_with_indices,
        aten.repeat.default: repetition.repeat,
        aten.repeat_interleave.self_Tensor: repetition.repeat_interleave_each,
        aten.repeat_interleave.self_int: repetition.repeat_interleave,
        aten.tile.default: repetition.tile,
        aten.topk.default: indexing.topk,
    },
}


def replace_operators(program: ExportedProgram, format_: str) -> ExportedProgram:
    """Return ``program`` with the operators that ``format_`` gets wrong written in others.

    A program that holds none of them is returned as it is.
    """
    rules = RULES.get(format_, {})
    if not any(node.target in rules for node in program.graph.nodes):
        return program
    # all of them: a rule may use the operator of another, and torch takes views apart beforehand
    return program.run_decompositions(dict(rules))
