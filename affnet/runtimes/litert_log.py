"""What LiteRT logs of its delegates, on a phone, on a board and in a page alike.

A line for each delegate that took something, and before it the GPU's refusals, if there are any::

    ERROR: Following operations are not supported by GPU delegate:
    CAST: Not supported Cast case. Input type: INT32 and output type: INT64
    GATHER_ND: Operation is not supported.
    130 operations will run on the GPU, and the remaining 114 operations will run on the CPU.
    VERBOSE: Replacing 130 out of 244 node(s) with delegate (LITERT_CL) node, yielding 2

Which nodes it took is not said; it follows where the file has just as many of the refused types.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from affnet.placement import CPU, PlacedOperator, Placement

_TAKEN = re.compile(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \(([^)]+)\)")
_REFUSALS = re.compile(
    r"operations are not supported by GPU delegate:\s*\n(.*?)operations? will run", re.DOTALL
)
_REFUSAL = re.compile(r"(?:^|: | )([A-Z][A-Z0-9_]+): ?(.*)$")
_XNNPACK = "xnnpack"


@dataclass(frozen=True)
class DelegateLog:
    """What the lines hold."""

    taken: tuple[tuple[int, int, str], ...] = ()  # nodes, of how many, by which delegate
    refused: tuple[tuple[str, str], ...] = ()  # types, and why

    @classmethod
    def read(cls, text: str) -> DelegateLog:
        """Read a log, whatever else is in it."""
        taken = tuple((int(n), int(of), name) for n, of, name in _TAKEN.findall(text))
        block = _REFUSALS.search(text)
        lines = map(_REFUSAL.search, map(str.strip, block[1].splitlines() if block else ()))
        return cls(taken, tuple((found[1], found[2].rstrip(".")) for found in lines if found))

    def placement(self, asked: str, nodes: Sequence[tuple[str, str]]) -> Placement | None:
        """Return where the ``nodes`` of the file, name and type each, run; None: it is not said.

        What another delegate takes than the one asked for runs on the CPU.
        """
        if not self.taken:
            return None
        total = self.taken[0][1]
        xnnpack = asked == _XNNPACK
        ours = sum(n for n, _, name in self.taken if (_XNNPACK in name.lower()) == xnnpack)
        reasons = dict(self.refused)
        refused = [kind in reasons for _, kind in nodes]
        if len(nodes) == total and (ours == total or sum(refused) == total - ours):
            units = [CPU if one and ours < total else asked for one in refused]
            rows = zip(nodes, units, strict=True)
            placed = [
                PlacedOperator(*node, unit, "" if unit == asked else reasons[node[1]])
                for node, unit in rows
            ]
            return Placement((asked,), tuple(placed))
        why = "; ".join(f"{kind}: {reason}" for kind, reason in self.refused)
        counts = Counter({asked: ours, CPU: total - ours})
        unnamed = {asked: PlacedOperator("", "", asked), CPU: PlacedOperator("", "", CPU, why)}
        return Placement((asked,), tuple(unnamed[unit] for unit in counts.elements()))
