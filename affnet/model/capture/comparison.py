"""A captured program beside its network, on inputs other than the one it was captured with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from affnet.model.capture.calls import copied
from affnet.model.export_failures import DependsOnValuesError

#: Largest difference, of the largest output.  The same kernels compute both: what is beyond it is
#: another computation, and what is below it the export's own verification sees.
_TOLERANCE = 1e-3

#: So many of several inputs are zeros one after the other.
_MOST_ALONE = 8

_Change = Callable[[Tensor, torch.Generator], Tensor]


def compare(
    network: nn.Module,
    captured: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    doubts: Sequence[str] = (),
) -> int:
    """Run both on the example and its variations; return on how many of these both gave the same.

    An input that the network itself rejects is left out.  ``doubts`` are the lines by which they
    may differ.

    Raises:
        DependsOnValuesError: they differ, or no other input could be compared.
    """
    agreed = -1  # the example is no other input
    reason = ""
    for name, (inputs, named) in variations(args, kwargs):
        try:
            expected = _results(network, inputs, named)
        except Exception as error:  # the user's own code, an assertion for instance
            reason = f"on {name} the network raises {type(error).__name__}"
            continue
        error_found = difference(_results(captured, inputs, named), expected)
        if error_found > _TOLERANCE:
            off = "not finite alike" if math.isinf(error_found) else f"off by {error_found:.0%}"
            raise DependsOnValuesError(doubts, f"{off} on {name}")
        agreed += 1
    if agreed < 1:
        raise DependsOnValuesError(doubts, f"no other input can be compared: {reason}")
    return agreed


def variations(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, tuple[tuple[Any, ...], dict[str, Any]]]]:
    """Yield the example and other inputs of its shapes and types, each with its name."""
    for name, change in _CHANGES.items():
        generator = torch.Generator().manual_seed(0)

        def changed(
            leaf: Any, change: _Change = change, generator: torch.Generator = generator
        ) -> Any:
            return change(leaf, generator) if isinstance(leaf, Tensor) else leaf

        yield name, pytree.tree_map(changed, copied((args, kwargs)))
    leaves, spec = pytree.tree_flatten((args, kwargs))
    numbers = [number for number, leaf in enumerate(leaves) if _is_inexact(leaf)]
    for number in numbers[:_MOST_ALONE] if len(numbers) > 1 else ():
        alone = copied(leaves)
        alone[number].zero_()
        yield f"its example with zeros for input {number + 1}", pytree.tree_unflatten(alone, spec)


def _is_inexact(x: Any) -> bool:
    return isinstance(x, Tensor) and (x.is_floating_point() or x.is_complex())


def _shuffled(x: Tensor, generator: torch.Generator) -> Tensor:
    places = torch.randperm(x.numel(), generator=generator)
    return x.flatten()[places].reshape(x.shape)


def _noise(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return normal values as large as those of ``x``; integers are only valid where they were."""
    if not _is_inexact(x):
        return _shuffled(x, generator)
    scale = x.abs().double().square().mean().sqrt() if x.numel() else 1.0
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    return (noise * (float(scale) or 1.0)).to(x.dtype)


def _scaled(factor: float) -> _Change:
    def scaled(x: Tensor, generator: torch.Generator) -> Tensor:
        if not _is_inexact(x):
            return _shuffled(x, generator)
        return x * factor

    return scaled


_CHANGES: dict[str, _Change] = {
    "its example": lambda x, _: x,
    "its example shuffled": _shuffled,
    "noise": _noise,
    "the same noise negated": lambda x, generator: -_noise(x, generator) if _is_inexact(x) else x,
    "its example negated": _scaled(-1.0),
    "a hundredth of its example": _scaled(0.01),
    "a hundred times its example": _scaled(100.0),
    "zeros": _scaled(0.0),
}


def _results(network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    with torch.no_grad():
        return pytree.tree_leaves(network(*copied(args), **copied(kwargs)))


def difference(actual: list[Any], expected: list[Any]) -> float:
    """Return the largest difference of the outputs, each of its largest value; NaN equals NaN."""
    errors = [0.0]
    for mine, its in zip(actual, expected, strict=True):
        if not isinstance(its, Tensor):
            continue
        if mine.shape != its.shape or not torch.equal(mine.isfinite(), its.isfinite()):
            return math.inf
        finite = its.isfinite()
        wide = torch.complex128 if its.is_complex() else torch.float64
        mine, its = mine[finite].to(wide), its[finite].to(wide)
        if its.numel():
            scale = float(its.abs().max()) or 1.0
            errors.append(float((mine - its).abs().max()) / scale)
    return max(errors)
