"""Decompositions of a program whose rules lay results out otherwise than the operators did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.export import ExportedProgram

aten = torch.ops.aten


def decomposed(program: ExportedProgram, rules: Mapping[Any, Any]) -> ExportedProgram:
    """Return ``program`` with its operators decomposed by ``rules``, its views by shape alone.

    A view was written for the strides that its source had: where a rule gives others, it becomes a
    copy, as `torch.reshape` would have made.
    """
    for node in program.graph.find_nodes(op="call_function", target=aten.view.default):
        node.target = aten.reshape.default
    taken_apart: ExportedProgram = program.run_decompositions(dict(rules))
    return taken_apart
