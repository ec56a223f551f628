"""Interpolation as recordings of a network have it: by a size, and factors beside it.

Converters and torch's decompositions know the form that `torch.nn.functional.interpolate` calls,
``aten.upsample_nearest2d.vec``.  torch takes no rule for the other, which it has kernels of.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node

aten = torch.ops.aten

_CALLED: dict[Any, Any] = {
    packet.default: packet.vec
    for packet in (
        *(aten.upsample_nearest1d, aten.upsample_nearest2d, aten.upsample_nearest3d),
        *(aten._upsample_nearest_exact1d, aten._upsample_nearest_exact2d),
        *(aten._upsample_nearest_exact3d, aten.upsample_linear1d, aten.upsample_bilinear2d),
        *(aten.upsample_trilinear3d, aten.upsample_bicubic2d),
        *(aten._upsample_bilinear2d_aa, aten._upsample_bicubic2d_aa),
    )
}


def interpolation_as_called(program: ExportedProgram) -> ExportedProgram:
    """Return ``program`` with its interpolations as a network calls them.

    One of a size that its factors do not give stays.
    """
    if not any(node.target in _CALLED for node in program.graph.nodes):
        return program
    program = program.run_decompositions({})  # a program of its own
    for node in program.graph.nodes:
        if node.target in _CALLED:
            _rename(node)
    program.graph_module.recompile()
    return program


def _rename(node: Node) -> None:
    source, size, *given = [*node.args, *node.kwargs.values()]
    cornered = any(one.name == "align_corners" for one in node.target._schema.arguments)  # type: ignore[union-attr]
    corners, factors = given[:cornered], given[cornered:]
    if any(factors):
        have = source.meta["val"].shape[2:]  # type: ignore[union-attr]
        if [int(n * factor) for n, factor in zip(have, factors, strict=True)] != [*size]:  # type: ignore[misc]
            return
    sizes = (None, factors) if any(factors) else (size, None)
    node.target = _CALLED[node.target]
    node.args, node.kwargs = (source, sizes[0], *corners, sizes[1]), {}
