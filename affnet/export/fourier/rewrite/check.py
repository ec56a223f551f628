"""The promise on a rewritten program, checked: no transform and no complex number is left."""

from __future__ import annotations

from typing import Any

import torch
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.fx import Node
from torch.utils import _pytree as pytree

from affnet.export.fourier.rewrite.decompose import graph_modules, is_complex
from affnet.export.fourier.rewrite.emitter import refusal

_BUG = "which is a bug in affnet; report this network"


def check_real(program: ExportedProgram) -> None:
    """Look at every node of every graph of the program, and at the tensors it keeps.

    Raises:
        ConversionError: something complex or a Fourier transform was left in place.
    """
    for module in graph_modules(program):
        for node in module.graph.nodes:
            _check_node(node)
    for spec in program.graph_signature.input_specs:
        for store in (program.state_dict, program.constants):
            tensor = store.get(spec.target) if spec.target else None
            if isinstance(tensor, torch.Tensor) and tensor.is_complex():
                node = next(n for n in program.graph.nodes if n.name == spec.arg.name)
                raise refusal(node, f"its tensor {spec.target!r} is still complex, {_BUG}")


def _check_node(node: Node) -> None:
    if is_complex(node):
        raise refusal(node, f"its result is still complex, {_BUG}")
    if isinstance(node.target, OpOverload) and "fft_" in str(node.target):
        raise refusal(node, f"the Fourier transform is still there, {_BUG}")
    if any(_is_complex_constant(value) for value in pytree.tree_leaves((node.args, node.kwargs))):
        raise refusal(node, f"an argument is still complex, {_BUG}")


def _is_complex_constant(value: Any) -> bool:
    return isinstance(value, complex) or (isinstance(value, torch.dtype) and value.is_complex)
