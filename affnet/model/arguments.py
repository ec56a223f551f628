"""What a user's function returns: a network, and the arguments of its forward."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from affnet.errors import UsageError

RETURNS = (
    "return (network, example), (network, arguments), (network, arguments, named_arguments), "
    "where example is a tensor, arguments a tuple and named_arguments a dictionary, or a "
    "torch.export program"
)
_CONSTANTS = (bool, int, float, complex, str, torch.dtype, torch.device, type(None))


def check_built(function: str, built: Any) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """Return the network that ``function`` built, and its example's arguments.

    Raises:
        UsageError: it returned something else, or arguments that forward does not have or that
            are no tensors and no constants.
    """
    if not (isinstance(built, tuple) and len(built) in (2, 3) and isinstance(built[0], nn.Module)):
        raise UsageError(f"{function} returns {_kind(built)}", f"let it {RETURNS}.")
    network, args, *rest = built
    kwargs = rest[0] if rest else {}
    if isinstance(args, dict) and not rest:
        single = _misfit(network, **args) and not _misfit(network, args)  # one dictionary
        args, kwargs = ((args,), {}) if single else ((), args)
    if isinstance(args, Tensor):
        args = (args,)
    if not (isinstance(args, tuple) and isinstance(kwargs, dict)):
        given = args if not isinstance(args, tuple) else kwargs
        raise UsageError(
            f"{function} returns its arguments as {type(given).__name__}", f"let it {RETURNS}."
        )
    register_dataclasses((args, kwargs))
    leaves = pytree.tree_leaves((args, kwargs))
    if not any(isinstance(leaf, Tensor) for leaf in leaves):
        raise UsageError(f"{function}'s example has no tensor", f"let it {RETURNS}.")
    for leaf in leaves:
        if not isinstance(leaf, (Tensor, *_CONSTANTS)):
            raise UsageError(
                f"{function}'s example holds {type(leaf).__name__}, which is no tensor",
                "turn it into one, as by torch.as_tensor.",
            )
    if misfit := _misfit(network, *args, **kwargs):
        takes = ", ".join(map(str, signature_of(network).parameters.values()))
        raise UsageError(
            f"{function}'s example does not fit its network's forward({takes}): {misfit}",
            "return the arguments that forward takes.",
        )
    return network, args, kwargs


def in_eval_mode(function: str, network: nn.Module) -> tuple[str, ...]:
    """Bring a network into eval mode, and return a note where it computes otherwise then."""
    layers = [
        f"{name or 'itself'} ({type(module).__name__})"
        for name, module in network.named_modules()
        if module.training and _trains(module)
    ]
    network.eval()
    if not layers:
        return ()
    more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
    return (
        f"{function} returns its network in training mode; the file computes what it gives in "
        f"eval mode, in which {layers[0]}{more} differs.",
    )


def _trains(module: nn.Module) -> bool:
    """Return whether a layer of torch's computes otherwise in training."""
    if isinstance(module, nn.modules.batchnorm._NormBase):
        return module.track_running_stats
    return isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0


def signature_of(network: nn.Module) -> inspect.Signature:
    """Return what the forward of ``network`` takes; TorchScript's has a schema of its own."""
    try:
        return inspect.signature(network.forward)
    except ValueError:
        _, *taken = network.forward.schema.arguments  # type: ignore[attr-defined]  # but for self
        return inspect.Signature(
            [
                inspect.Parameter(
                    argument.name,
                    inspect.Parameter.POSITIONAL_OR_KEYWORD,
                    default=argument.default_value
                    if argument.has_default_value()
                    else inspect.Parameter.empty,
                )
                for argument in taken
            ]
        )


def _misfit(network: nn.Module, *args: Any, **kwargs: Any) -> str | None:
    """Return why forward does not take these, None where it does."""
    try:
        signature_of(network).bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def _kind(built: Any) -> str:
    if not isinstance(built, tuple):
        return type(built).__name__
    return f"({', '.join(type(each).__name__ for each in built)})"


def register_dataclasses(value: Any) -> None:
    """Have torch look for tensors in the dataclasses that ``value`` holds, as in dictionaries."""
    known: set[type] = set()
    while (
        found := {
            type(leaf)
            for leaf in pytree.tree_leaves(value)
            if dataclasses.is_dataclass(leaf) and not isinstance(leaf, type)
        }
        - known
    ):
        for kind in found:
            torch.export.register_dataclass(kind)
        known |= found
