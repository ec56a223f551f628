"""The parameters and buffers of a network on its way into an ExecuTorch program."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def own_storage(network: nn.Module) -> None:
    """Give each tensor of ``network``, in place, a storage of its own.

    A delegated constant is stored by the start of its storage, so that a view of a part of another
    tensor would become that tensor's first elements.  The order of a constant's axes in memory is
    read off its strides, those of axes of one element too, which `Tensor.is_contiguous` ignores.
    """
    held = (value for module in network.modules() for value in vars(module).values())
    constants = (value for value in held if isinstance(value, Tensor))  # as torch.export keeps them
    for tensor in (*network.parameters(), *network.buffers(), *constants):
        if tensor.storage_offset() or tensor.stride() != _row_major(tensor):
            tensor.data = tensor.detach().clone(memory_format=torch.contiguous_format)


def _row_major(tensor: Tensor) -> tuple[int, ...]:
    return torch.empty(tensor.shape, device="meta").stride()


def drop_unused_tensors(graph: Any) -> None:
    """Drop the parameters and buffers of ``graph`` that no node takes, in place.

    A program holds every parameter, used or not, and beside rounded and quantized weights stand
    those in float32 that they were made of.
    """
    used = {node.target for node in graph.graph.nodes if node.op == "get_attr"}
    tensors = (
        *graph.named_parameters(remove_duplicate=False),
        *graph.named_buffers(remove_duplicate=False),
    )
    for name, _ in tensors:
        if name not in used:
            module, _, attribute = name.rpartition(".")
            delattr(graph.get_submodule(module), attribute)
