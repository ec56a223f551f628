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
    if arrow and (found := _multiplied(given.split(","), wanted, tensors)) is not None:
        return found
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


def _multiplied(terms: list[str], wanted: str, tensors: Sequence[Tensor]) -> Tensor | None:
    """Return the product of two tensors of which no axis is summed, None if one is.

    torch and converters make products of 1 x 1 matrices of it.
    """
    named_once = all(len(set(names)) == len(names) for names in (*terms, wanted))
    if len(terms) != 2 or not named_once or {*terms[0], *terms[1]} != {*wanted} or "." in wanted:
        return None
    placed = []
    for term, x in zip(terms, tensors, strict=True):
        x = x.permute([term.index(name) for name in wanted if name in term])
        for axis, name in enumerate(wanted):
            x = x if name in term else x.unsqueeze(axis)
        placed.append(x)
    return placed[0] * placed[1]


#: Up to so many multiplications at each place of shared axes cost less than a product there.
_FEW = 128
#: In fewer products than this there is little to gain.
_MANY = 16


def as_product(equation: str, tensors: Sequence[Tensor], *, path: Any = None) -> Any:  # noqa: ARG001
    """`torch.einsum` of two tensors as one product of matrices, for each place of shared axes.

    ONNX Runtime's Einsum moves the axes of both tensors in every run, those of weights too.  Where
    there is little at each place, as 1 x 3 times 3 x 2 at each of 2,049 frequencies, all places are
    multiplied at once, and then added.
    """
    given, arrow, wanted = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    if not arrow or "." in equation or len(terms) != 2:
        return NotImplemented
    if (found := _multiplied(terms, wanted, tensors)) is not None:
        return found
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

    def shaped(x: Tensor, names: list[str]) -> Tensor:
        x = x.reshape([lengths[name] for name in names])
        return x.permute([names.index(name) for name in wanted])

    at_each = [lengths[name] for name in rows + summed + columns]
    is_little = all(isinstance(length, int) for length in at_each) and math.prod(at_each) <= _FEW
    if shared and is_little:
        product = arranged(tensors[0], left, rows, [], summed, shared) * arranged(
            tensors[1], right, [], columns, summed, shared
        )
        return shaped(product.sum(2), rows + columns + shared)
    batch = [shared] if shared else []
    product = arranged(tensors[0], left, *batch, rows, summed) @ arranged(
        tensors[1], right, *batch, summed, columns
    )
    return shaped(product, shared + rows + columns)


def matmul(a: Tensor, b: Tensor) -> Any:
    """`torch.matmul` of little matrices at many places, as `as_product` has it."""
    if min(a.dim(), b.dim()) < 3 or not all(isinstance(n, int) for n in (*a.shape, *b.shape)):
        return NotImplemented
    rows, (summed, columns) = a.shape[-2], b.shape[-2:]
    places = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])  # type: ignore[no-untyped-call]
    count = math.prod(places)
    repeats = any(math.prod(x.shape[:-2]) != count for x in (a, b))
    if repeats or count < _MANY or rows * summed * columns > _FEW:
        return NotImplemented
    flat = [x.reshape(count, *x.shape[-2:]) for x in (a, b)]
    return as_product("pij,pjk->pik", flat).reshape(*places, rows, columns)
