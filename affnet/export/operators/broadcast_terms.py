"""Contractions of tensors with axes of one that meet longer ones, as torch broadcasts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def without_ones(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``rule`` for `torch.einsum` where each letter has one length.

    Else the axes of one are left out, and what remains is a contraction of its own: ONNX' Einsum
    takes the length of the first, and coremltools' shape.
    """

    def einsum(equation: str, tensors: Sequence[Tensor], *, path: Any = None) -> Any:
        given, arrow, wanted = equation.replace(" ", "").partition("->")
        if not arrow or "." in equation:
            return rule(equation, tensors, path=path)
        terms = given.split(",")
        axes = [
            pair
            for term, x in zip(terms, tensors, strict=True)
            for pair in zip(term, x.shape, strict=True)
        ]
        longer = {name for name, length in axes if length != 1}
        broadcast = {name for name, length in axes if length == 1} & longer
        if not broadcast:
            return rule(equation, tensors, path=path)
        kept, left = [], []
        for term, x in zip(terms, tensors, strict=True):
            ones = [
                axis for axis, name in enumerate(term) if name in broadcast and x.shape[axis] == 1
            ]
            left.append("".join(name for axis, name in enumerate(term) if axis not in ones))
            kept.append(x.squeeze(ones) if ones else x)
        return torch.einsum(f"{','.join(left)}->{wanted}", kept)

    return einsum
