"""What ONNX Runtime logs, at the severity 0, of where it places the nodes of a graph.

The lines, each behind its time and its place in the source::

    ..GetCapability] webgpu kernel not found in registries for Op type: Det node name: third
    ..VerifyEachNodeIsAssignedToAnEp] Node placements
    ..VerifyEachNodeIsAssignedToAnEp]  Node(s) placed on [CPUExecutionProvider]. Number of nodes: 1
    ..VerifyEachNodeIsAssignedToAnEp]   Det (third)
    ..VerifyEachNodeIsAssignedToAnEp]  Node(s) placed on [WebGpuExecutionProvider]. Number of

The nodes are those of the optimized graph, with the copies between units.  Where all are on one
unit, ``All nodes placed on [..]. Number of nodes: 6`` names none; they are the file's then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from affnet.placement import PlacedOperator, Placement
from affnet.runtimes.onnxruntime_profile import unit_of

_LINE = re.compile(r"VerifyEachNodeIsAssignedToAnEp\] (.*)")
_ALL = re.compile(r" ?All nodes placed on \[(\w+)\]")
_SOME = re.compile(r" ?Node\(s\) placed on \[(\w+)\]")
_NODE = re.compile(r"\s+(\w+) \((.*)\)$")
_NO_KERNEL = re.compile(r"(\w+) kernel not found in registries for Op type: (\w+) node name: (.*)")
_FORCED = re.compile(r"Force fallback to CPU execution for node: (\S+) because (.*)")
#: Nodes that copy tensors between units, and so are of neither.
_COPIES = ("MemcpyFromHost", "MemcpyToHost")


def read_placement(log: str, asked: str, nodes: Sequence[tuple[str, str]]) -> Placement | None:
    """Return where nodes run; ``nodes`` are name and type of those of the file; None: not said."""
    reasons = {name: f"{ep} has no kernel" for ep, _, name in _NO_KERNEL.findall(log)}
    reasons |= {name.rstrip(":"): why.strip() for name, why in _FORCED.findall(log)}
    placed: list[PlacedOperator] = []
    unit = None
    for line in _LINE.findall(log):
        if everything := _ALL.match(line):
            unit = unit_of(everything[1])
            return Placement((asked,), tuple(PlacedOperator(*node, unit) for node in nodes))
        if some := _SOME.match(line):
            unit = unit_of(some[1])
        elif unit is not None and (node := _NODE.match(line)) and node[1] not in _COPIES:
            why = reasons.get(node[2], "") if unit != asked else ""
            placed.append(PlacedOperator(node[2], node[1], unit, why))
    return Placement((asked,), tuple(placed)) if placed else None
