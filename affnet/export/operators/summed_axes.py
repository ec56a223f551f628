"""Contractions over several axes, which litert-torch pairs by their order in each tensor.

``einsum("mbi,zbm->zi")`` sums over m and b: its file multiplies what stands at (m, b) in the first
tensor by what stands at (b, m) in the other, seen with litert-torch 0.10.0.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor


def in_another_order(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``rule`` for `torch.einsum` of two tensors whose summed axes differ in their order."""

    def einsum(equation: str, tensors: Sequence[Tensor], *, path: Any = None) -> Any:
        terms, wanted = _named(equation, tensors)
        if len(terms) != 2:
            return NotImplemented
        left, right = terms
        summed = [
            [name for name in term if name in other and name not in wanted]
            for term, other in ((left, right), (right, left))
        ]
        if summed[0] and summed[0] == summed[1]:
            return NotImplemented
        return rule(f"{left},{right}->{wanted}", tensors, path=path)

    return einsum


def _named(equation: str, tensors: Sequence[Tensor]) -> tuple[list[str], str]:
    """Return the terms and the result of an equation, letters in the place of each ellipsis."""
    given, arrow, wanted = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    if not arrow:
        return [], wanted
    spare = [letter for letter in string.ascii_letters if letter not in equation]
    counts = [
        x.dim() - len(term.replace("...", "")) if "." in term else 0
        for term, x in zip(terms, tensors, strict=True)
    ]
    most = max(counts)
    named = [
        term.replace("...", "".join(spare[most - count : most]))
        for term, count in zip(terms, counts, strict=True)
    ]
    return named, wanted.replace("...", "".join(spare[:most]))
