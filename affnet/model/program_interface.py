"""What a program of the user's own takes and gives, brought to real tensors in and out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node

from affnet.artifact import Arrays, TensorSpec
from affnet.dynamic_axes import DynamicAxis
from affnet.errors import UsageError
from affnet.model.flat_program import FlatNetwork, FlatProgram, flatten, free_name
from affnet.model.open_lengths import OpenCall, output_shape, resized
from affnet.model.token_ranges import integer_range

_REAL = {torch.complex64: torch.float32, torch.complex128: torch.float64}
_TYPES = (
    *(torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128),
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
)


@dataclass(frozen=True)
class LoadedProgram:
    """An exported program, and the network that it is compared with."""

    program: ExportedProgram  # takes tensors by position, and returns one or a tuple of them
    model: nn.Module  # likewise, real-valued at its borders, in eval mode
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    notes: tuple[str, ...]
    example: Arrays | None  # of its inputs, real-valued; a file may have none
    captured: dict[str, Any] = field(default_factory=dict)  # how, if not by torch.export at once
    dynamic: tuple[DynamicAxis, ...] = ()  # lengths of its inputs that are open


def described(
    name: str,
    program: ExportedProgram,
    model: nn.Module | None = None,
    opened: OpenCall | None = None,
) -> LoadedProgram:
    """Check that the program is one that can be exported, and say what it takes and gives.

    ``model`` is the network that it was made of, None where there is none but the program, and
    ``opened`` says which of its axes are dynamic, if any.

    Raises:
        UsageError: it takes or returns no tensor, or one of a type or shape that no file holds.
    """
    flat = flatten(name, program)
    if not flat.inputs:
        raise UsageError(f"{name} takes no tensor that its outputs depend on", "let it take one.")
    if not flat.outputs:
        raise UsageError(f"{name} returns no tensor", "let its forward return one.")
    program, notes = flat.program, list(flat.notes)
    nodes = {node.name: node for node in program.graph.nodes}
    inputs, outputs = [], []
    lengths = _Lengths(flat, opened)
    for index, argument in enumerate(program.graph_signature.user_inputs):
        example = None if flat.example is None else flat.example[index]
        value = nodes[argument].meta["val"]
        shape = lengths.of_input(index, value)
        spec, note = _spec(name, "input", flat.inputs[index], value, shape)
        inputs.append(_with_range(spec, nodes[argument], example))
        notes += note
    for label, result in zip(flat.outputs, program.graph_signature.user_outputs, strict=True):
        value = nodes[result].meta["val"]
        spec, note = _spec(name, "output", label, value, lengths.of_output(value))
        outputs.append(_not_called(spec, flat.inputs, flat.outputs))
        notes += note
    if model is None:
        model = program.module()
    elif flat.arguments is not None:
        model = FlatNetwork(model, flat.arguments)
    arrays = None
    if flat.example is not None:
        arrays = tuple(
            _as_real(lengths.example(index, example)).numpy()
            for index, example in enumerate(flat.example)
        )
    model = with_real_borders(model, program)
    return LoadedProgram(
        program,
        model,
        tuple(inputs),
        tuple(outputs),
        tuple(notes),
        arrays,
        dynamic=opened.placed.axes if opened else (),
    )


_Shape = tuple[tuple[int | str, ...], tuple[int, ...] | None]  # in words, and in the example


class _Lengths:
    """The lengths of a program's axes, of which some may be open."""

    def __init__(self, flat: FlatProgram, opened: OpenCall | None) -> None:
        self._open: tuple[Mapping[int, str], ...] | None = None
        self._symbols: dict[Any, tuple[str, int]] = {}
        if opened is not None:
            leaves = opened.open_axes
            places = flat.arguments.places if flat.arguments else range(len(flat.inputs))
            self._open = tuple(leaves[place] for place in places)
            self._lengths = {axis.name: axis.example for axis in opened.placed.axes}

    def of_input(self, index: int, value: Tensor) -> _Shape:
        """Return the shape of an input."""
        if self._open is None:
            return tuple(value.shape), None
        named = self._open[index]
        for axis, name in named.items():
            length: Any = value.shape[axis]
            if not isinstance(length, int) and length.node.expr.is_symbol:
                self._symbols.setdefault(length.node.expr, (name, self._lengths[name]))
        words = tuple(named.get(axis, length) for axis, length in enumerate(value.shape))
        example = (self._lengths.get(str(word), word) for word in words)
        return words, tuple(map(int, example)) if named else None

    def of_output(self, value: Tensor) -> _Shape:
        """Return the shape of an output, which may follow from lengths of inputs."""
        if self._open is None or all(isinstance(axis, int) for axis in value.shape):
            return tuple(value.shape), None
        return output_shape(value, self._symbols)

    def example(self, index: int, value: Tensor) -> Tensor:
        """Return an input of the program's example as one of the network's."""
        if self._open is None:
            return value
        named = self._open[index]
        return resized(value, {axis: self._lengths[name] for axis, name in named.items()})


def with_real_borders(network: nn.Module, program: ExportedProgram) -> nn.Module:
    """Return ``network``, which takes and gives what ``program`` does, with real borders.

    A complex tensor there is a real one with a last axis of 2.
    """
    signature = program.graph_signature
    kinds = {node.name: node.meta.get("val") for node in program.graph.nodes}
    taken = [_is_complex(kinds.get(name)) for name in signature.user_inputs]
    given = [_is_complex(kinds.get(name)) for name in signature.user_outputs]
    return _RealBorders(network, tuple(taken)) if any(taken + given) else network


def _is_complex(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_complex()


def _spec(
    name: str, kind: str, label: str, value: Tensor, lengths: _Shape
) -> tuple[TensorSpec, list[str]]:
    """Return the spec of an input or output, and a note where it is complex."""
    called = kind if label == kind else f"{kind} {label!r}"
    if value.dtype not in _TYPES:
        wide = "complex64" if value.dtype.is_complex else "float32"
        remedy = f"give an example in {wide}" if kind == "input" else f"return it in {wide}"
        raise UsageError(
            f"{name}'s {called} is of the type {_text(value.dtype)}, which files do not hold",
            f"{remedy}.",
        )
    shape, example = lengths
    if not all(isinstance(axis, int | str) for axis in shape):
        raise UsageError(
            f"{name}'s {called} has the dynamic shape {' x '.join(map(str, shape))}",
            "call torch.export again without dynamic_shapes, or let a function build the network, "
            "whose axes --dynamic names.",
        )
    if not value.dtype.is_complex:
        return TensorSpec(label, shape, _text(value.dtype), example_shape=example), []
    note = (
        f"{name}'s {called} is complex; in the file it is real with a trailing axis of 2, "
        "the real and the imaginary part."
    )
    example = None if example is None else (*example, 2)
    kind = _text(_REAL[value.dtype])
    return TensorSpec(label, (*shape, 2), kind, example_shape=example), [note]


def _text(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _with_range(spec: TensorSpec, node: Node, example: Tensor | None) -> TensorSpec:
    """Return the spec of an input; that of integers with the range that is drawn from."""
    if node.meta["val"].dtype.is_floating_point or node.meta["val"].is_complex():
        return spec
    if spec.dtype == "bool":
        return spec
    return replace(spec, range=integer_range(node, example))


def _not_called(spec: TensorSpec, taken: tuple[str, ...], given: tuple[str, ...]) -> TensorSpec:
    """Return the spec of an output under a name that no input has: files hold each name once."""
    if spec.name not in taken:
        return spec
    return replace(spec, name=free_name(f"output_{spec.name}", (*taken, *given)))


def _as_real(value: Tensor) -> Tensor:
    value = value.detach()
    return torch.view_as_real(value.resolve_conj()) if value.is_complex() else value


class _RealBorders(nn.Module):
    """A network of complex tensors as one that takes and gives their parts, on a last axis of 2."""

    def __init__(self, network: nn.Module, complex_inputs: tuple[bool, ...]) -> None:
        super().__init__()
        self.network = network
        self.complex_inputs = complex_inputs

    def forward(self, *inputs: Tensor) -> Any:
        taken = (
            torch.view_as_complex(x) if is_complex else x
            for x, is_complex in zip(inputs, self.complex_inputs, strict=True)
        )
        y = self.network(*taken)
        return tuple(map(_as_real, y)) if isinstance(y, tuple) else _as_real(y)
