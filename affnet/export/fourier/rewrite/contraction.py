"""The order in which a contraction of several tensors is taken, two at a time.

From the left, as torch without opt_einsum does, the factors of a Tucker form would first become an
outer product of all their axes, more than Core ML holds.  So the pair is next whose product has the
fewest elements beyond those of its factors, which is opt_einsum's greedy path (Smith and Gray,
"opt_einsum", JOSS 3(26), 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import prod


@dataclass(frozen=True)
class Step:
    """A contraction of the operands at ``left`` < ``right``; its result goes to the end."""

    left: int
    right: int
    equation: str


def contraction_order(terms: list[str], output: str, lengths: Mapping[str, int]) -> list[Step]:
    """Return the steps that contract operands with the letters ``terms`` to ``output``.

    Each result keeps the letters that another operand or the output still needs.
    """
    terms, steps = list(terms), []
    while len(terms) > 1:
        best = None
        for left, right in combinations(range(len(terms)), 2):
            kept = output if len(terms) == 2 else _kept(terms, left, right, output)
            sizes = [prod(lengths[x] for x in term) for term in (kept, terms[left], terms[right])]
            cost = sizes[0] - sizes[1] - sizes[2]
            if best is None or cost < best[0]:
                best = cost, Step(left, right, f"{terms[left]},{terms[right]}->{kept}"), kept
        assert best is not None  # there are two terms at least
        _, step, kept = best
        steps.append(step)
        del terms[step.right], terms[step.left]
        terms.append(kept)
    return steps


def _kept(terms: list[str], left: int, right: int, output: str) -> str:
    others = [term for place, term in enumerate(terms) if place not in (left, right)]
    needed = output + "".join(others)
    return "".join(x for x in dict.fromkeys(terms[left] + terms[right]) if x in needed)
