"""Which operators of an ExecuTorch program a delegate executes, and why the others are not its."""

from __future__ import annotations

import collections
import logging
import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_PARTITIONER = "executorch.backends.xnnpack.partition"  # the logger above all that refuse


#: What `Delegation.details` gives.
DELEGATION_DETAILS = ("delegated_share", "delegated_parts", "delegated", "undelegated")


@dataclass(frozen=True)
class Delegation:
    """The operators on both sides."""

    parts: int  # how many delegated subgraphs there are; between them values are handed over
    delegated: Mapping[str, int]  # operator to count
    undelegated: Mapping[tuple[str, str], int]  # operator and reason to count

    @classmethod
    def of(cls, program: Any, reasons: Mapping[str, str], known: frozenset[str]) -> Delegation:
        """Count the operators of a lowered edge ``program``.

        ``reasons`` says by a node's name why it was refused; ``known`` are the targets that the
        delegate takes under some conditions, none if nothing was to be delegated.
        """
        from executorch.exir.lowered_backend_module import get_lowered_submodules

        lowered = get_lowered_submodules(program.graph_module)
        delegated: collections.Counter[str] = collections.Counter()
        for _, module, _ in lowered:
            delegated.update(_name(node) for node in _operators(module.original_module.graph))
        undelegated: collections.Counter[tuple[str, str]] = collections.Counter()
        for node in _operators(program.graph):
            undelegated[_name(node), _reason(node, reasons, known)] += 1
        return cls(len(lowered), delegated, undelegated)

    @property
    def share(self) -> float:
        """Return the delegated share of all operators, 0..1."""
        inside, outside = self.delegated.values(), self.undelegated.values()
        return sum(inside) / max(sum(inside) + sum(outside), 1)

    def details(self) -> dict[str, Any]:
        """Return it as the details of a conversion."""
        return {
            "delegated_share": round(self.share, 4),
            "delegated_parts": self.parts,
            "delegated": dict(sorted(self.delegated.items())),
            "undelegated": [
                {"operator": name, "count": count, "reason": reason}
                for (name, reason), count in sorted(self.undelegated.items())
            ],
        }


@contextmanager
def reasons_for_refusals() -> Iterator[dict[str, str]]:
    """Collect, by the name of a node, why XNNPACK's partitioner refuses it while this is active.

    It gives its reasons to a logger only, as messages of a class that holds node and reason.
    """
    reasons: dict[str, str] = {}

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            node, reason = (getattr(record.msg, name, None) for name in ("node", "reason"))
            if node is not None and reason:
                reasons[node.name] = str(reason)

    logger, collector = logging.getLogger(_PARTITIONER), Collector()
    before = logger.level, logger.propagate
    logger.addHandler(collector)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield reasons
    finally:
        logger.removeHandler(collector)
        level, logger.propagate = before
        logger.setLevel(level)


def _operators(graph: Any) -> list[Any]:
    """Return the nodes that compute: no calls of delegates, no picking of results from them."""
    calls = (node for node in graph.nodes if node.op == "call_function")
    return [node for node in calls if node.target is not operator.getitem and _is_operator(node)]


def _is_operator(node: Any) -> bool:
    return str(node.target) != "executorch_call_delegate"


def _name(node: Any) -> str:
    """Return the operator's name without its dialect and overload: ``mean`` for aten.mean.dim."""
    return _target(node).split(".")[0]


def _target(node: Any) -> str:
    """Return ``mean.dim`` for aten.mean.dim, which is how the partitioner calls it."""
    parts = str(node.target.__name__).split(".")
    return ".".join(parts[1:] if len(parts) > 2 else parts)


def _reason(node: Any, reasons: Mapping[str, str], known: frozenset[str]) -> str:
    if not known:
        return "nothing was to be delegated"
    if _target(node) not in known:
        return "XNNPACK has no such operator"
    return reasons.get(node.name, "refused without a reason")
