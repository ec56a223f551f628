"""Which function computes which operator of MIL.

A function's parameters are named as the operator's, and a parameter with a default is optional.
Arguments are arrays (float16 as float32), strings, or lists for the parameters named in ``lists``;
numbers are arrays of rank 0.  The result is an array, or a sequence with one value per output; the
evaluator brings it to the declared type, so a function need not care about its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.typing import NDArray

Array = NDArray[Any]
Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


@dataclass(frozen=True)
class Operator:
    """An operator that can be computed."""

    function: Function
    parameters: frozenset[str]
    required: frozenset[str]
    lists: frozenset[str]  # parameters that take any number of arguments
    ignored: frozenset[str]  # parameters that change no result here
    exact: bool  # each result is one of its arguments' numbers: float16 needs no rounding


_OPERATORS: dict[str, Operator] = {}


def operator(
    *names: str, lists: Iterable[str] = (), ignored: Iterable[str] = (), exact: bool = False
) -> Callable[[F], F]:
    """Register the decorated function as the operators ``names``.

    Parameters in ``ignored`` change no result here and are not passed to the function.
    """

    def register(function: F) -> F:
        parameters = inspect.signature(function).parameters
        entry = Operator(
            function,
            frozenset(parameters),
            frozenset(
                name
                for name, value in parameters.items()
                if value.default is inspect.Parameter.empty
            ),
            frozenset(lists),
            frozenset(ignored),
            exact,
        )
        for name in names:
            _OPERATORS[name] = entry
        return function

    return register


def registered(name: str) -> Operator | None:
    """Return the operator called ``name``, None if it is not known."""
    return _OPERATORS.get(name)


def registered_names() -> list[str]:
    """Return the names of all operators, sorted."""
    return sorted(_OPERATORS)
