"""Which modules of a network of the user's own are put into 8 bits.

8 bits make what has weights smaller and faster: convolutions, linear layers and products by
matrices of parameters, with norms, activations and sums that stand between them.  A transform, a
product of complex numbers, and what is made of them, as the logarithm of magnitudes, spans a range
that 8 bits do not hold, and stays in float::

    stft -> abs -> log -> [conv -> norm -> relu -> conv -> add] -> exp -> istft
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node

_PRODUCTS = (
    "linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "tensordot", "convolution",
    "_convolution", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d",
)  # fmt: skip
_TRANSFORMS = ("fft_", "_fft_", "stft", "istft")
#: Classes of layers, whose weights a recording of calls may hold as constants.
_LAYERS = re.compile(r"(?:Linear|Conv(?:Transpose)?[123]d)$")
#: What stands between products without a range of its own.
_BETWEEN = (
    "batch_norm", "native_batch_norm", "_native_batch_norm_legit_no_training", "relu", "relu_",
    "hardtanh", "hardtanh_", "add", "add_", "cat", "dropout", "max_pool1d", "max_pool2d",
    "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "mean", "clone",
    "contiguous", "view", "reshape", "flatten", "unflatten", "permute", "transpose", "squeeze",
    "unsqueeze", "slice", "select", "pad", "getitem",
)  # fmt: skip


def quantized_modules(program: ExportedProgram) -> frozenset[str]:
    """Return the paths of the modules that are put into 8 bits, as the state dict has them.

    These multiply by weights and neither transform nor have complex numbers, or only stand between
    such ones.
    """
    signature = program.graph_signature
    weights, constants = set(signature.inputs_to_parameters), set(signature.inputs_to_buffers)
    constants |= set(signature.inputs_to_lifted_tensor_constants)
    in_8_bits: set[str] = set()
    products, transforms, others = set(), set(), set()
    for node in program.graph.nodes:
        inputs = {taken.name for taken in node.all_input_nodes}
        if node.op not in ("call_function", "get_attr"):
            continue
        if inputs <= weights | constants:  # computed once, before the file is written
            (weights if inputs & weights else constants).add(node.name)
            continue
        module, operator = module_of(node), operator_of(node)
        involved = (node, *node.all_input_nodes)
        if operator.startswith(_TRANSFORMS) or any(map(_is_complex, involved)):
            transforms.add(module)
        elif operator in _PRODUCTS and _is_layer(node, weights, constants):
            products.add(module)
            in_8_bits.add(node.name)
        elif operator in _BETWEEN and inputs <= in_8_bits | weights | constants:
            in_8_bits.add(node.name)
        if node.name not in in_8_bits:
            others.add(module)
    between = {module_of(node) for node in program.graph.nodes if node.name in in_8_bits}
    return frozenset((products - transforms) | (between - others))


def module_of(node: Node) -> str:
    """Return the path of the module that a call of a captured network belongs to."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]) if stack else ""


def _is_layer(node: Node, weights: set[str], constants: set[str]) -> bool:
    """Return whether a product is one of float32 by weights, which a recording has as constants."""
    value = node.meta.get("val")
    if isinstance(value, Tensor) and value.dtype != torch.float32:
        return False
    inputs = {taken.name for taken in node.all_input_nodes}
    return bool(inputs & weights or (inputs & constants and _LAYERS.search(_class_of(node))))


def _is_complex(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.is_complex()


def _class_of(node: Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][1]) if stack else ""


def operator_of(node: Node) -> str:
    """Return ``conv2d`` for aten.conv2d.default."""
    target: Any = node.target
    return str(getattr(target, "__name__", target)).split(".")[0]
