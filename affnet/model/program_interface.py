"""What a program of the user's own takes and gives, brought to real tensors in and out."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from affnet.artifact import TensorSpec
from affnet.errors import UsageError


@dataclass(frozen=True)
class LoadedProgram:
    """An exported program, and the network that it is compared with."""

    program: ExportedProgram
    model: nn.Module  # real-valued at its borders, in eval mode
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    notes: tuple[str, ...]
    example: NDArray[np.float32] | None  # of its input, real-valued; a file may have none
    captured: dict[str, Any] = field(default_factory=dict)  # how, if not by torch.export at once


def described(
    name: str, program: ExportedProgram, model: nn.Module, example: Tensor | None = None
) -> LoadedProgram:
    """Check that the program is one that can be exported, and say what it takes and gives."""
    signature = program.graph_signature
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    inputs = [values[argument] for argument in signature.user_inputs if argument in values]
    inputs = [value for value in inputs if value is not None]
    if len(inputs) != 1:
        raise UsageError(
            f"{name} has {len(inputs)} inputs",
            "wrap it in a network whose forward takes a single tensor and splits it.",
        )
    taken, input_note = _spec(name, "input", inputs[0])
    if example is None:
        example = _example_of(program)
    leaves = [values.get(argument) for argument in signature.user_outputs]
    names = _output_names(program)
    kept = [index for index, value in enumerate(leaves) if value is not None]
    if not kept:
        raise UsageError(f"{name} returns no tensor", "let its forward return one.")
    outputs, notes = [], [input_note]
    for index in kept:
        spec, note = _spec(name, names[index], leaves[index])
        outputs.append(spec)
        notes.append(note)
    if not _is_flat(program):
        program = _flattened(program)
        model = _Flat(model)
    if any(notes):
        model = _RealBorders(model, input_note is not None)
    array = None if example is None else _as_real(example).numpy()
    return LoadedProgram(
        program, model, taken, tuple(outputs), tuple(note for note in notes if note), array
    )


def _output_names(program: ExportedProgram) -> list[str]:
    """Return a name for each output: of its key in a dictionary, else of its place."""
    spec = program.call_spec.out_spec
    assert spec is not None  # torch.export writes it
    count = spec.num_leaves
    if count == 1:
        return ["output"]
    paths, _ = pytree.tree_flatten_with_path(pytree.tree_unflatten(list(range(count)), spec))
    names = [re.sub(r"\W+", "_", pytree.keystr(path)).strip("_") for path, _ in paths]
    return [name if name and not name[0].isdigit() else f"output_{name}" for name in names]


def _is_flat(program: ExportedProgram) -> bool:
    """Return whether a program returns a tensor, or a tuple of tensors and nothing else."""
    spec = program.call_spec.out_spec
    assert spec is not None
    nested = not spec.is_leaf() and (
        spec.type is not tuple or not all(child.is_leaf() for child in spec.children())
    )
    values = {node.name for node in program.graph.nodes}
    return not nested and all(name in values for name in program.graph_signature.user_outputs)


def _flattened(program: ExportedProgram) -> ExportedProgram:
    """Return the program with its dictionaries and lists of outputs as a tuple."""
    (name,) = (n for n in program.graph_signature.user_inputs if isinstance(n, str))
    value = next(node.meta["val"] for node in program.graph.nodes if node.name == name)
    example = torch.zeros(tuple(value.shape), dtype=value.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(_Flat(program.module()), (example,))


def _example_of(program: ExportedProgram) -> Tensor | None:
    """Return the input that a program was exported with, if the file has it."""
    leaves = pytree.tree_leaves(program.example_inputs)
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    return tensors[0].detach() if len(tensors) == 1 else None


def _spec(name: str, kind: str, value: Any) -> tuple[TensorSpec, str | None]:
    """Return the spec of an input or output, and a note where it is complex."""
    if not isinstance(value, Tensor) or value.dtype not in (torch.float32, torch.complex64):
        is_tensor = isinstance(value, Tensor)
        what = str(value.dtype).removeprefix("torch.") if is_tensor else type(value).__name__
        remedy = "give an example in float32" if kind == "input" else "return it as .float()"
        raise UsageError(f"{name}'s {kind} is of the type {what}, not float32", f"{remedy}.")
    shape = tuple(value.shape)
    if not all(isinstance(axis, int) for axis in shape):
        raise UsageError(
            f"{name}'s {kind} has the dynamic shape {' x '.join(map(str, shape))}",
            "call torch.export again without dynamic_shapes: files for phones have static ones.",
        )
    if not value.dtype.is_complex:
        return TensorSpec(kind, shape, "float32"), None
    note = (
        f"{name}'s {kind} is complex; in the file it is real with a trailing axis of 2, "
        "the real and the imaginary part."
    )
    return TensorSpec(kind, (*shape, 2), "float32"), note


def _as_real(value: Tensor) -> Tensor:
    return torch.view_as_real(value.resolve_conj()) if value.is_complex() else value


class _Flat(nn.Module):
    """A network that returns its outputs, whatever they stand in, as one tensor or a tuple."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        outputs = [leaf for leaf in pytree.tree_leaves(self.network(x)) if isinstance(leaf, Tensor)]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


class _RealBorders(nn.Module):
    """A network of complex tensors as one that takes and gives their parts, on a last axis of 2."""

    def __init__(self, network: nn.Module, complex_input: bool) -> None:
        super().__init__()
        self.network = network
        self.complex_input = complex_input

    def forward(self, x: Tensor) -> Any:
        y = self.network(torch.view_as_complex(x) if self.complex_input else x)
        return tuple(map(_as_real, y)) if isinstance(y, tuple) else _as_real(y)
