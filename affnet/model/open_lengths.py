"""The example of a network at other lengths of its dynamic axes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import Parameter
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ShapesCollection
from torch.utils import _pytree as pytree

from affnet.dynamic_axes import DynamicAxis, Placed, parse_dynamic, place, runs
from affnet.errors import UsageError, reason_of
from affnet.model.arguments import signature_of

#: What a file calls its only input, whatever its network does.
ONLY_INPUT = "input"


@dataclass(frozen=True)
class OpenCall:
    """The arguments of a network's example, and which of their axes are dynamic."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    placed: Placed
    leaves: tuple[str | None, ...]  # the input that each leaf of the arguments is, if it is one

    @property
    def open_axes(self) -> tuple[Mapping[int, str], ...]:
        """The names of the dynamic axes of each leaf of the arguments."""
        return tuple({} if name is None else self.placed.names[name] for name in self.leaves)

    def at(self, lengths: Mapping[str, int]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with axes of other lengths, repeated or cut."""
        leaves, tree = pytree.tree_flatten((self.args, self.kwargs))
        found = [
            leaf if name is None else resized(leaf, self._of(name, lengths))
            for name, leaf in zip(self.leaves, leaves, strict=True)
        ]
        args, kwargs = pytree.tree_unflatten(found, tree)
        return args, kwargs

    def _of(self, name: str, lengths: Mapping[str, int]) -> dict[int, int]:
        return {axis: lengths[label] for axis, label in self.placed.names[name].items()}

    def for_capture(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with no open axis of length 1, which would be taken for fixed."""
        return self.at({axis.name: capture_length(axis) for axis in self.placed.axes})

    def shapes_for(self, network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the ``dynamic_shapes`` of `torch.export.export` for ``args``, of `for_capture`."""
        known = {axis.name: axis for axis in self.placed.axes}
        shapes: Any = ShapesCollection()  # type: ignore[no-untyped-call]
        for name, leaf in zip(self.leaves, pytree.tree_leaves((args, kwargs)), strict=True):
            if name is not None and (open_axes := self.placed.names[name]):
                shapes[leaf] = {axis: dimension(known[n]) for axis, n in open_axes.items()}
        return shapes.dynamic_shapes(network, args, kwargs)


def capture_length(axis: DynamicAxis) -> int:
    """Return the length at which a network is captured whose file leaves ``axis`` open."""
    return max(2, axis.example)


def dimension(axis: DynamicAxis) -> Any:
    """Return what stands for an axis in ``dynamic_shapes``; 1 is taken as any other length."""
    return Dim.DYNAMIC(min=axis.low if axis.low > 1 else None, max=axis.high)


def resized(tensor: Tensor, lengths: Mapping[int, int]) -> Tensor:
    """Return ``tensor`` with axes of other lengths: cut, or repeated from its start."""
    for axis, length in lengths.items():
        tensor = tensor.index_select(axis, torch.arange(length) % tensor.shape[axis])
    return tensor.detach().clone()


def opened(
    network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dynamic: str
) -> OpenCall:
    """Find the axes that ``dynamic`` names in the example of a network.

    Raises:
        UsageError: as `affnet.dynamic_axes.place`, or forward does not name its arguments.
    """
    _check_named(network, args, kwargs)
    names = _leaf_names(network, args, kwargs)
    tensors = dict(zip(names, pytree.tree_leaves((args, kwargs)), strict=True))
    tensors = {name: leaf for name, leaf in tensors.items() if isinstance(leaf, Tensor)}
    entries = parse_dynamic(dynamic)
    if len(tensors) == 1:  # which goes by its own name, too
        (only,) = tensors
        entries = tuple(
            replace(each, input=only) if each.input == ONLY_INPUT else each for each in entries
        )
    placed = place(
        entries,
        {name: tuple(leaf.shape) for name, leaf in tensors.items()},
        [name for name, leaf in tensors.items() if leaf.is_floating_point()],
    )
    return OpenCall(
        args, kwargs, placed, tuple(name if name in tensors else None for name in names)
    )


def _check_named(network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse what torch 2.13 opens no axes of: an assertion in it fails."""
    bound = signature_of(network).bind(*args, **kwargs)
    for name in bound.arguments:
        if bound.signature.parameters[name].kind is Parameter.VAR_KEYWORD:
            raise UsageError(
                f"torch.export opens no axes of arguments that forward takes as **{name}",
                "name them in forward's signature, or drop --dynamic.",
            )


def _leaf_names(network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """Return a name for each leaf of the arguments, as `torch.export` names them."""
    leaves, tree = pytree.tree_flatten((args, kwargs))
    numbered = pytree.tree_unflatten(list(range(len(leaves))), tree)
    bound = signature_of(network).bind(*numbered[0], **numbered[1]).arguments
    paths, _ = pytree.tree_flatten_with_path(dict(bound))
    names = [""] * len(leaves)
    for path, number in paths:
        if isinstance(number, int):
            text = pytree.keystr(path)
            names[number] = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    return names


def check_lengths_run(function: str, network: nn.Module, call: OpenCall) -> None:
    """Run a network at the lengths that its file will be verified at.

    Raises:
        UsageError: it fails at one.
    """
    for lengths in runs(call.placed.axes):
        args, kwargs = call.at(lengths)
        try:
            with torch.no_grad():
                network(*args, **kwargs)
        except Exception as error:  # the user's own code
            text = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise UsageError(
                f"The network of {function} does not run at {text}: {reason_of(error)}",
                "by --dynamic of affnet export give lengths that it takes, "
                f"{','.join(f'{name}:MIN..MAX' for name in lengths)}, omit an axis that has one "
                "length, or name another, as x:1=time.",
            ) from error


def output_shape(
    value: Tensor, names: Mapping[Any, tuple[str, int]]
) -> tuple[tuple[int | str, ...], tuple[int, ...]]:
    """Return the shape of a captured tensor, in words and in the example.

    ``names`` has the name and the example's length of each symbol of the program.
    """
    sympy: Any = import_module("sympy")  # torch brings it
    words: list[int | str] = []
    example = []
    named = {symbol: sympy.Symbol(name) for symbol, (name, _) in names.items()}
    lengths = {symbol: sympy.Integer(length) for symbol, (_, length) in names.items()}
    for axis in value.shape:
        expression = sympy.Integer(axis) if isinstance(axis, int) else axis.node.expr
        if unknown := expression.free_symbols - names.keys():
            raise ValueError(f"{next(iter(unknown))} is no length of an input")
        length = int(expression.xreplace(lengths))
        text = re.sub(r"\(\(([^()]*)\)\)", r"(\1)", str(expression.xreplace(named)))
        words.append(text if expression.free_symbols else length)
        example.append(length)
    return tuple(words), tuple(example)
