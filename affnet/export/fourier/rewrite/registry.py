"""The rules by operator.

A rule makes, from a `Call` of the old graph, what stands for its result in the new one.  A rule
that cannot hold a case calls `Emitter.refuse` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Node

from affnet.export.fourier.rewrite.emitter import Emitter


@dataclass(frozen=True)
class Call:
    """A node of the old graph with its arguments in the new one, a complex one as a `Complex`."""

    emitter: Emitter
    node: Node
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def want(self) -> torch.Tensor:
        """The fake tensor that the old node gave."""
        value: torch.Tensor = self.node.meta["val"]
        return value

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument that may be given by position, by name, or not at all."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)


Rule = Callable[[Call], Any]

COMPLEX_RULES: dict[Any, Rule] = {}  # for nodes with a complex argument or result
# For nodes that are real throughout: operators that hold a view of a complex value, or whose real
# form no converter knows.  Such a rule may decline by returning NotImplemented: the node is copied.
REAL_RULES: dict[Any, Rule] = {}


def complex_rule(*operators: Any) -> Callable[[Rule], Rule]:
    """Register the decorated rule for nodes of these operators that touch a complex value."""

    def register(rule: Rule) -> Rule:
        COMPLEX_RULES.update(dict.fromkeys(operators, rule))
        return rule

    return register


def real_rule(*operators: Any) -> Callable[[Rule], Rule]:
    """Register the decorated rule for nodes of these operators that are real throughout."""

    def register(rule: Rule) -> Rule:
        REAL_RULES.update(dict.fromkeys(operators, rule))
        return rule

    return register
