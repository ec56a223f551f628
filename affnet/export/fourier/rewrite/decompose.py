"""Bringing a program to the operators that the rules know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.fx import Node

from affnet.export.fourier.rewrite.registry import COMPLEX_RULES

# Each round takes composite operators one level down: stft -> fft_rfft -> _fft_r2c.
_MAX_ROUNDS = 6


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the fake tensors of a node's value, which may be a list of them."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)


def is_complex(node: Node) -> bool:
    """Tell whether a result of the node is complex."""
    return any(value.dtype.is_complex for value in tensors(node.meta.get("val")))


def touches_complex(node: Node) -> bool:
    """Tell whether an argument or a result of the node is complex, or is a transform's inside."""
    if is_complex(node) or any(is_complex(source) for source in node.all_input_nodes):
        return True
    target = node.target
    return isinstance(target, OpOverload) and "fft_" in str(target)


def decompose(program: ExportedProgram) -> ExportedProgram:
    """Return the program in functional form, its composite operators on complex values taken apart.

    Only composites that PyTorch itself runs by their parts are decomposed: what they compute is
    then what eager mode computes.
    """
    program = program.run_decompositions({})
    for _ in range(_MAX_ROUNDS):
        wanted = {
            node.target
            for node in program.graph.nodes
            if touches_complex(node) and _is_composite(node.target)
        }
        if not wanted:
            break
        known: Any = torch.export.default_decompositions()
        table = {operator: known[operator] for operator in wanted if operator in known}
        if not table:
            break  # the rules will refuse what is left, by name
        program = program.run_decompositions(table)
    return program


def _is_composite(target: Any) -> bool:
    if not isinstance(target, OpOverload) or target in COMPLEX_RULES:
        return False
    name: str = target.name()  # type: ignore[no-untyped-call]
    return torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd")
