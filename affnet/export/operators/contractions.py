"""Contractions: two tensors at a time, with names for all axes; and of two as one product."""

from __future__ import annotations

import math
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


def as_product(equation: str, tensors: Sequence[Tensor], *, path: Any = None) -> Any:  # noqa: ARG001
    """`torch.einsum` of two tensors as one product of matrices, for each place of shared axes.

    ONNX Runtime's Einsum moves the axes of both tensors in every run, those of weights too.
    """
    given, arrow, wanted = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    if not arrow or "." in equation or len(terms) != 2:
        return NotImplemented
    left, right = terms
    shared = [name for name in wanted if name in left and name in right]
    rows = [name for name in wanted if name not in right]
    columns = [name for name in wanted if name not in left]
    summed = [name for name in left if name in right and name not in wanted]
    whole = sorted(left) == sorted(shared + rows + summed)
    whole = whole and sorted(right) == sorted(shared + summed + columns)
    first, second = (
        dict(zip(term, x.shape, strict=True)) for term, x in zip(terms, tensors, strict=True)
    )
    if not (whole and summed) or any(first[name] != second[name] for name in shared + summed):
        return NotImplemented  # a letter that stands twice or in one term alone, or broadcasting
    lengths = first | second

    def arranged(x: Tensor, term: str, *groups: list[str]) -> Tensor:
        order = [term.index(name) for group in groups for name in group]
        sizes = [math.prod(lengths[name] for name in group) for group in groups]
        return x.permute(order).reshape(sizes)

    batch = [shared] if shared else []
    product = arranged(tensors[0], left, *batch, rows, summed) @ arranged(
        tensors[1], right, *batch, summed, columns
    )
    names = shared + rows + columns
    result = product.reshape([lengths[name] for name in names])
    return result.permute([names.index(name) for name in wanted])
