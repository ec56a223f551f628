"""Borders of a network that a format does not hold: other types and shapes that stand for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter
from torch.fx import traceback as fx_traceback

from affnet.artifact import TensorSpec
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.export.converters import Converter


def held_inputs(specs: Sequence[TensorSpec], converter: type[Converter]) -> tuple[TensorSpec, ...]:
    """Return what a file of ``converter`` takes where the network takes ``specs``."""
    if converter.scalar_inputs:
        return held_outputs(specs, converter)
    arrays = (dataclasses.replace(spec, shape=spec.shape or (1,)) for spec in specs)
    return held_outputs(tuple(arrays), converter)


def held_outputs(specs: Sequence[TensorSpec], converter: type[Converter]) -> tuple[TensorSpec, ...]:
    """Return what a file of ``converter`` gives where the network gives ``specs``.

    A float64 that comes of float32 inputs comes of a constant: a file without any gives float32.
    """
    types = {kind: held or "float32" for kind, held in converter.border_types.items()}
    return tuple(
        dataclasses.replace(spec, dtype=types.get(spec.dtype, spec.dtype)) for spec in specs
    )


def check_held(name: str, specs: Sequence[TensorSpec], converter: type[Converter]) -> None:
    """Raise `UsageError` where nothing stands for the type of one of ``specs``, of inputs."""
    for spec in specs:
        if converter.border_types.get(spec.dtype, spec.dtype) is None:
            raise UsageError(
                f"{spec.name!r} of {name} is of the type {spec.dtype}, which {converter.format} "
                "files do not hold",
                "convert network and example to float32 (network.float(), example.float()), or "
                "choose --format onnx.",
            )


def replaced_types(network: Sequence[TensorSpec], file: Sequence[TensorSpec]) -> dict[str, str]:
    """Return what a manifest says of the tensors whose type is another in the file."""
    return {
        mine.name: f"{mine.dtype} in PyTorch, {its.dtype} in the file"
        for mine, its in zip(network, file, strict=True)
        if mine.dtype != its.dtype
    }


def _called(network: nn.Module, given: Sequence[Tensor]) -> Any:
    """Call a network; a graph so that torch.export keeps whose module each of its calls is."""
    if not isinstance(network, GraphModule):
        return network(*given)
    with fx_traceback.preserve_node_meta():
        return Interpreter(network).run(*given)


class Borders(nn.Module):
    """A network that takes and gives what a file of a format holds."""

    def __init__(
        self, network: nn.Module, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> None:
        """``inputs`` are as the network takes them, ``outputs`` as they are to be given."""
        super().__init__()
        self.network = network
        self._taken = [(getattr(torch, spec.dtype), spec.shape) for spec in inputs]
        self._given = [getattr(torch, spec.dtype) for spec in outputs]

    def forward(self, *inputs: Tensor) -> Any:
        """Call the network on its own types and shapes."""
        taken = [
            x.to(kind) if shape else x.to(kind).reshape(())
            for x, (kind, shape) in zip(inputs, self._taken, strict=True)
        ]
        outputs = _called(self.network, taken)
        if isinstance(outputs, Tensor):
            return outputs.to(self._given[0])
        return tuple(y.to(kind) for y, kind in zip(outputs, self._given, strict=True))
