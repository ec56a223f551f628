"""The parts of a program that a delegate gets, none of which waits for one that waits for it.

ExecuTorch merges two parts wherever the merged one does not wait for itself, and looks at no third.
A constant that several parts take counts as a result of the first of them, though each gets a copy;
so a layer used at several places, with operators between them that the delegate lacks, can end in
two parts each of which needs a result of the other, at which ExecuTorch stops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from torch import fx

#: A part, by its number, or an operator that is in none.
_Unit = int | fx.Node


def acyclic(graph: fx.Graph, parts: Sequence[Any], groups: Iterable[Iterable[fx.Node]]) -> Any:
    """Return ``parts`` of ``graph``, or where they wait for each other, others of the same nodes.

    Parts have an ``id`` and ``nodes``; ``groups`` are nodes of which none is parted from the rest.
    """
    if _in_order(_dependencies(graph, _owners(part.nodes for part in parts))) is not None:
        return parts
    nodes = {node for part in parts for node in part.nodes}
    owners = _owners(nodes.intersection(group) for group in groups)
    dependencies = _dependencies(graph, owners)
    order = _in_order(dependencies)
    if order is None or not nodes <= owners.keys():
        return parts
    stages = _stages(order, dependencies)
    members: dict[int, list[fx.Node]] = {}
    for node in graph.nodes:
        if node in nodes:
            members.setdefault(stages[owners[node]], []).append(node)
    return [type(parts[0])(id=stage, nodes=members[stage]) for stage in sorted(members)]


def _stages(order: Iterable[_Unit], dependencies: Mapping[_Unit, set[_Unit]]) -> dict[_Unit, int]:
    """Return how often, at most, the way to each unit has left the parts.

    A part of all groups of a stage waits for earlier stages only: ways do not lead back, and one
    that leaves the parts comes back at the next stage.
    """
    stages: dict[_Unit, int] = {}
    for unit in order:
        entered = [
            stages[before] + (isinstance(unit, int) and isinstance(before, fx.Node))
            for before in dependencies[unit]
        ]
        stages[unit] = max(entered, default=0)
    return stages


def _owners(parts: Iterable[Iterable[fx.Node]]) -> dict[fx.Node, int]:
    return {node: number for number, nodes in enumerate(parts) for node in nodes}


def _dependencies(graph: fx.Graph, owners: Mapping[fx.Node, int]) -> dict[_Unit, set[_Unit]]:
    """Return of which units each takes results; constants are copied into each part."""
    found: dict[_Unit, set[_Unit]] = {}
    for node in graph.nodes:
        unit = owners.get(node, node)
        taken = {owners.get(source, source) for source in node.all_input_nodes if _computes(source)}
        found.setdefault(unit, set()).update(taken - {unit})
    return found


def _computes(node: fx.Node) -> bool:
    return node.op not in ("placeholder", "get_attr")


def _in_order(dependencies: Mapping[_Unit, set[_Unit]]) -> list[_Unit] | None:
    """Return the units, each after those that it depends on; None where that cannot be."""
    try:
        return [*TopologicalSorter(dependencies).static_order()]
    except CycleError:
        return None
