"""A network of complex tensors as one of real ones: both parts of each."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from affnet.errors import UsageError
from affnet.model.arguments import signature_of

PAIR, PARTS = "pair", "parts"  # of a complex tensor at a file's border


class Parts(NamedTuple):
    """Both parts of a complex tensor, which gives them their names."""

    real: Tensor
    imag: Tensor


class InParts(nn.Module):
    """A network that takes and gives `Parts` where the one inside takes and gives complex ones."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.has_complex = False  # of a run

        def forward(*args: Any, **kwargs: Any) -> Any:
            return self._run(args, kwargs)

        # whose arguments' names are those of files
        forward.__signature__ = signature_of(network)  # type: ignore[attr-defined]
        self.forward = forward

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        joined_args, joined_kwargs = _joined((args, kwargs))
        given = _parted(self.network(*joined_args, **joined_kwargs))
        if not self.has_complex and any(map(_is_parts, _leaves((given, args, kwargs)))):
            self.has_complex = True  # in the first run, before anything is captured
        return given


def in_parts(
    network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[InParts, tuple[Any, ...], dict[str, Any]]:
    """Return ``network``, which takes ``args`` and ``kwargs``, and these, by parts."""
    args, kwargs = _parted((args, kwargs))
    return InParts(network).eval(), args, kwargs


def check_complex(name: str, network: nn.Module) -> None:
    """Refuse parts of a network that was run and has none.

    Raises:
        UsageError: it takes and gives real tensors.
    """
    if isinstance(network, InParts) and not network.has_complex:
        raise UsageError(
            f"--complex {PARTS} does not apply to {name}, which takes and gives no complex tensor",
            "drop it.",
        )


def _is_parts(value: Any) -> bool:
    return isinstance(value, Parts)


def _leaves(value: Any) -> list[Any]:
    found: list[Any] = pytree.tree_leaves(value, is_leaf=_is_parts)
    return found


def _joined(value: Any) -> Any:
    def join(leaf: Any) -> Any:
        return torch.complex(leaf.real, leaf.imag) if _is_parts(leaf) else leaf

    return pytree.tree_map(join, value, is_leaf=_is_parts)


def _parted(value: Any) -> Any:
    def part(leaf: Any) -> Any:
        if not (isinstance(leaf, Tensor) and leaf.is_complex()):
            return leaf
        leaf = leaf.resolve_conj()
        return Parts(leaf.real.contiguous(), leaf.imag.contiguous())

    return pytree.tree_map(part, value)
