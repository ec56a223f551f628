"""Bringing a program to the operators that the rules know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

# the formulas register themselves
from affnet.export.fourier.rewrite import (  # noqa: F401
    formulas_of_axes,
    formulas_of_resampling,
    small_matrices,
)
from affnet.export.fourier.rewrite.formulas import FORMULAS
from affnet.export.fourier.rewrite.registry import COMPLEX_RULES

# Each round takes composite operators one level down: stft -> fft_rfft -> _fft_r2c.
_MAX_ROUNDS = 6

#: LiteRT gives another output for CODANO so written in the process that converted it, 0.6 % off,
#: and the right one in any other.
_WITHOUT_RESAMPLING = ("litert",)

_TRANSFORM = re.compile(r"fft_|stft")


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the fake tensors of a node's value, which may be a list of them."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)


def is_complex(node: Node) -> bool:
    """Return whether a result of the node is complex."""
    return any(value.dtype.is_complex for value in tensors(node.meta.get("val")))


def graph_modules(program: ExportedProgram) -> list[GraphModule]:
    """Return the program's graph and those nested in it."""
    return [module for module in program.graph_module.modules() if isinstance(module, GraphModule)]


def needs_rewriting(node: Node) -> bool:
    """Return whether the node takes or gives complex values, or holds a transform."""
    if is_complex(node) or any(is_complex(source) for source in node.all_input_nodes):
        return True
    return isinstance(node.target, OpOverload) and bool(_TRANSFORM.search(str(node.target)))


def decompose(program: ExportedProgram, runtime: str) -> ExportedProgram:
    """Return the program in functional form, its composite operators on complex values taken apart.

    Only composites that PyTorch itself runs by their parts are decomposed: what they compute is
    then what eager mode computes.  What else is taken apart has a formula of our own.
    """
    left_out = formulas_of_resampling.OPERATORS if runtime in _WITHOUT_RESAMPLING else ()
    formulas = {key: value for key, value in FORMULAS.items() if key not in left_out}
    for attempt in range(_MAX_ROUNDS):
        table = _composites(program)
        if attempt > 0 and not table:
            break
        # without composites too it becomes functional
        with _formulas_first(formulas):
            program = program.run_decompositions(table | formulas)
    return program


@contextmanager
def _formulas_first(formulas: Mapping[OpOverload, Any]) -> Iterator[None]:
    """Have formulas go before what torch takes operators apart by in every trace, tables or not."""
    key = torch._C.DispatchKey.Autograd
    own = {target: target.py_kernels[key] for target in formulas if key in target.py_kernels}

    def first(target: OpOverload) -> Any:
        def taken_apart(*args: Any, **kwargs: Any) -> Any:
            result = formulas[target](*args, **kwargs)
            return own[target](*args, **kwargs) if result is NotImplemented else result

        return taken_apart

    def register(kernels: Mapping[OpOverload, Any]) -> None:
        for target, kernel in kernels.items():
            target.py_kernels[key] = kernel
            target._dispatch_cache.clear()

    register({target: first(target) for target in own})
    try:
        yield
    finally:
        register(own)


def _composites(program: ExportedProgram) -> dict[Any, Any]:
    """Return the composite operators on complex values in the program, with their parts."""
    known = _known_decompositions()
    return {
        node.target: known[node.target]
        for module in graph_modules(program)
        for node in module.graph.nodes
        if needs_rewriting(node) and _is_composite(node.target) and node.target in known
    }


@cache
def _known_decompositions() -> Any:
    return torch.export.default_decompositions()  # slow to fill, and read only here


def _is_composite(target: Any) -> bool:
    if not isinstance(target, OpOverload) or target in COMPLEX_RULES:
        return False
    name: str = target.name()  # type: ignore[no-untyped-call]
    return torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd")
