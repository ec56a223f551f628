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

from affnet.export.operators.repetition import repeat, repeat_interleave, tile
from affnet.export.operators.transposed_convolution import conv_transpose1d, conv_transpose2d
from affnet.export.operators.window_maxima import adaptive_max_pool, max_pool_with_indices

Rule = Callable[..., Any]

_aten = torch.ops.aten

#: By format, then by operator.
RULES: dict[str, dict[Any, Rule]] = {
    "tflite": {
        _aten.adaptive_max_pool1d.default: adaptive_max_pool,
        _aten.adaptive_max_pool2d.default: adaptive_max_pool,
        _aten.adaptive_max_pool3d.default: adaptive_max_pool,
        _aten.conv_transpose1d.default: conv_transpose1d,
        _aten.conv_transpose2d.input: conv_transpose2d,
        _aten.max_pool1d_with_indices.default: max_pool_with_indices,
        _aten.max_pool2d_with_indices.default: max_pool_with_indices,
        _aten.max_pool3d_with_indices.default: max_pool_with_indices,
        _aten.repeat.default: repeat,
        _aten.repeat_interleave.self_Tensor: repeat_interleave,
        _aten.tile.default: tile,
    },
}


def replace_operators(program: ExportedProgram, format_: str) -> ExportedProgram:
    """Return ``program`` with the operators that ``format_`` gets wrong written in others.

    A program that holds none of them is returned as it is.
    """
    rules = RULES.get(format_, {})
    held = {node.target for node in program.graph.nodes if node.target in rules}
    return (
        program.run_decompositions({target: rules[target] for target in held}) if held else program
    )
