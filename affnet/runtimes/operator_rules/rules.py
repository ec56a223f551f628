"""Published rules of which operators an accelerator runs: TOML files in ``affnet/data/placement``.

A file has the format of the files that it is about, the unit, the sources and version of the rules,
``types`` and ``max_rank`` of the tensors that the unit computes on, a table ``operators`` of those
that it runs, each with further conditions, and ``changes``, what to do about what it does not run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from affnet.errors import UnknownNameError
from affnet.placement import CPU, PlacedOperator, Placement
from affnet.runtimes.operator_rules.graph import GraphNode, Tensor

#: The files' names without their suffix.
TARGETS = ("coreml-ane", "nnapi", "tflite-gpu", "webgpu", "xnnpack")


@dataclass(frozen=True)
class Rule:
    """On which conditions a unit runs an operator; each may be left open."""

    inputs: tuple[int, int] | None = None  # how many at least and at most
    constant: tuple[int, ...] = ()  # the inputs that may not be computed
    types: tuple[str, ...] | None = None  # instead of the target's
    typed: tuple[int, ...] | None = None  # the inputs whose types count; default: all computed ones
    max_rank: int | None = None  # instead of the target's
    max_version: int | None = None
    #: By attribute, the values that it may have; one that is not set has the first of them.
    attributes: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def refusal(self, node: GraphNode, types: Sequence[str], max_rank: int) -> str | None:
        """Return why a node does not run there, a clause; None where it does."""
        if self.inputs and not self.inputs[0] <= len(node.inputs) <= self.inputs[1]:
            return f"{len(node.inputs)} inputs, not {self.inputs[0]} to {self.inputs[1]}"
        if self.max_version is not None and node.version > self.max_version:
            return f"version {node.version}, at most {self.max_version} is supported"
        for index in self.constant:
            if index < len(node.inputs) and not node.inputs[index].constant:
                return f"input {index} is not constant"
        for name, allowed in self.attributes.items():
            value = _plain(node.attributes.get(name, allowed[0]))
            if value not in allowed:
                return f"{name} is {value}, not {' or '.join(map(str, allowed))}"
        return self._tensor_refusal(node, self.types or types, self.max_rank or max_rank)

    def _tensor_refusal(self, node: GraphNode, types: Sequence[str], max_rank: int) -> str | None:
        chosen = enumerate(node.inputs) if self.typed is None else _at(node.inputs, self.typed)
        computed = [one for _, one in chosen if not one.constant or self.typed is not None]
        for tensor in (*computed, *node.outputs):
            if tensor.dtype not in (*types, "unknown"):
                return f"of {tensor.dtype}, not {' or '.join(types)}"
            if tensor.rank is not None and tensor.rank > max_rank:
                return f"a tensor of {tensor.rank} axes, at most {max_rank} are supported"
        return None


@dataclass(frozen=True)
class Target:
    """The rules of one unit."""

    name: str
    format: str
    unit: str
    runtime: str  # whose rules they are
    version: str
    sources: tuple[str, ...]
    observed: str  # what the rules were tested against; "" where nothing here can
    types: tuple[str, ...]
    max_rank: int
    operators: Mapping[str, Rule]
    changes: Mapping[str, str]

    def place(self, nodes: Sequence[GraphNode]) -> Placement:
        """Predict where the operators of a file run."""
        return Placement((self.unit,), tuple(self._place(node) for node in nodes))

    def _place(self, node: GraphNode) -> PlacedOperator:
        rule = self.operators.get(node.operator)
        if rule is None:
            reason: str | None = f"{self.runtime} has no {node.operator}"
        else:
            reason = rule.refusal(node, self.types, self.max_rank)
        unit = self.unit if reason is None else CPU
        return PlacedOperator(node.name, node.operator, unit, reason or "")

    def change_for(self, operator: str) -> str | None:
        """Return what to do about an operator that falls back, if anything is known."""
        return self.changes.get(operator, self.changes.get("*"))


def get_target(name: str) -> Target:
    """Return the rules of a target.

    Raises:
        UnknownNameError: there are none of this name.
    """
    if name not in TARGETS:
        raise UnknownNameError("target", name, TARGETS)
    file = files("affnet").joinpath("data", "placement", f"{name}.toml")
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    rules = {kind: Rule(**_tuples(fields)) for kind, fields in content.pop("operators").items()}
    return Target(name=name, operators=rules, **_tuples(content))


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(value) if isinstance(value, list) else value for k, value in table.items()}


def _at(tensors: Sequence[Tensor], indices: Sequence[int]) -> list[tuple[int, Tensor]]:
    return [(index, tensors[index]) for index in indices if index < len(tensors)]


def _plain(value: Any) -> Any:
    """Return an attribute as TOML has it."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.tolist() if hasattr(value, "tolist") else value  # numpy's
