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

from affnet.export.operators.indexing import index, topk
from affnet.export.operators.repetition import (
    expand,
    expand_as,
    repeat,
    repeat_interleave,
    repeat_interleave_each,
    tile,
)
from affnet.export.operators.resampling import upsample_linear, upsample_nearest
from affnet.export.operators.transposed_convolution import conv_transpose1d, conv_transpose2d
from affnet.export.operators.window_maxima import adaptive_max_pool, max_pool_with_indices

Rule = Callable[..., Any]

_aten = torch.ops.aten

#: By format, then by operator.
RULES: dict[str, dict[Any, Rule]] = {
    "tflite": {
        _aten._unsafe_view.default: _aten.view.default,  # which torch.onnx lacks
        _aten.adaptive_max_pool1d.default: adaptive_max_pool,
        _aten.adaptive_max_pool2d.default: adaptive_max_pool,
        _aten.adaptive_max_pool3d.default: adaptive_max_pool,
        _aten.conv_transpose1d.default: conv_transpose1d,
        _aten.conv_transpose2d.input: conv_transpose2d,
        _aten.broadcast_to.default: expand,
        _aten.expand.default: expand,
        _aten.expand_as.default: expand_as,
        _aten.index.Tensor: index,
        _aten.max_pool1d_with_indices.default: max_pool_with_indices,
        _aten.max_pool2d_with_indices.default: max_pool_with_indices,
        _aten.max_pool3d_with_indices.default: max_pool_with_indices,
        _aten.repeat.default: repeat,
        _aten.repeat_interleave.self_Tensor: repeat_interleave_each,
        _aten.repeat_interleave.self_int: repeat_interleave,
        _aten.tile.default: tile,
        _aten.topk.default: topk,
        _aten.upsample_bilinear2d.vec: upsample_linear,
        _aten.upsample_nearest2d.vec: upsample_nearest,
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
    replaced: ExportedProgram = program.run_decompositions(dict(rules))
    return replaced
