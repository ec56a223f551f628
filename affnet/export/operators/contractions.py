"""Contractions of more than two tensors, or over unnamed axes, two tensors at a time."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def einsum(equation: str, tensors: Sequence[Tensor], *, path: Any = None) -> Any:  # noqa: ARG001
    """`torch.einsum` of two tensors after another, axes named, as coremltools knows it."""
    given, arrow, wanted = equation.replace(" ", "").partition("->")
    if not arrow or (len(tensors) <= 2 and "." not in equation):
        return NotImplemented
    spare = [letter for letter in string.ascii_letters if letter not in equation]
    terms = given.split(",")
    unnamed = [
        x.dim() - len(term.replace("...", "")) if "." in term else 0
        for term, x in zip(terms, tensors, strict=True)
    ]
    most = max(unnamed)
    terms = [
        term.replace("...", "".join(spare[most - count : most]))
        for term, count in zip(terms, unnamed, strict=True)
    ]
    wanted = wanted.replace("...", "".join(spare[:most]))
    result, names = tensors[0], terms[0]
    for number, (x, term) in enumerate(zip(tensors[1:], terms[1:], strict=True), 1):
        needed = set(wanted).union(*terms[number + 1 :])
        last = number == len(terms) - 1
        kept = wanted if last else "".join(dict.fromkeys(n for n in names + term if n in needed))
        result, names = torch.einsum(f"{names},{term}->{kept}", result, x), kept
    return result if len(tensors) > 1 else torch.einsum(f"{names}->{wanted}", result)
