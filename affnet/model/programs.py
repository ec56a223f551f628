"""Networks of the user's own: a ``torch.export`` program, or a function that builds a network."""

from __future__ import annotations

import importlib
import logging
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.fx import Node

from affnet.artifact import TensorSpec
from affnet.errors import AffnetError, UsageError, first_line
from affnet.exported_program import load_exported_program
from affnet.model.export_failures import export_failure
from affnet.model.stack_traces import helpers_noted
from affnet.silence import silenced

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_RETURNS = "return (network, example_input) or a torch.export program"


@dataclass(frozen=True)
class LoadedProgram:
    """An exported program, and the network that it is compared with."""

    program: ExportedProgram
    model: nn.Module  # real-valued at its borders, in eval mode
    input: TensorSpec
    output: TensorSpec
    notes: tuple[str, ...]


def is_function(source: str) -> bool:
    """Tell whether ``source`` has the form ``module:function``."""
    return _FUNCTION.fullmatch(source) is not None


def load_program(path: Path) -> LoadedProgram:
    """Load a ``.pt2`` file.

    Raises:
        UsageError: the file is missing or damaged, or the network is none of one float32 tensor
            in and one out, of static shapes, in eval mode.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist; write it with torch.export.save.")
    program = load_exported_program(path)
    return _described(path.name, program, program.module())


def build_program(function: str, seed: int) -> LoadedProgram:
    """Call ``module:function`` and export the network it returns.

    It is found from the working directory or wherever Python finds modules, and called without
    arguments, after `torch.manual_seed`, so that random weights are the same at every call.

    Raises:
        UsageError: no such function, it fails, or returns something else; and as `load_program`.
        ConversionError: `torch.export` cannot export the network.
    """
    built = _call(function, seed)
    if isinstance(built, ExportedProgram):
        return _described(function, built, built.module())
    if not (isinstance(built, tuple) and len(built) == 2 and isinstance(built[0], nn.Module)):
        raise UsageError(f"{function} returns {type(built).__name__}; let it {_RETURNS}.")
    network, example = built
    if isinstance(example, tuple) and len(example) == 1:
        (example,) = example
    if not isinstance(example, Tensor):
        raise UsageError(f"{function}'s example input is no single tensor; let it {_RETURNS}.")
    network = network.eval()
    logging.getLogger("torch.export").setLevel(logging.ERROR)
    try:
        with silenced(stdout=False), helpers_noted():  # what forward itself prints is the user's
            program = torch.export.export(network, (example,))
    except Exception as error:  # torch.export raises nearly every kind
        raise export_failure(function, network, example, error) from error
    return _described(function, program, network)


def _call(function: str, seed: int) -> Any:
    name, _, attribute = function.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        torch.manual_seed(seed)
        return getattr(importlib.import_module(name), attribute)()
    except AffnetError:
        raise
    except Exception as error:  # the user's own code
        if isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]:
            raise UsageError(
                f"There is no module {error.name!r} here or in Python's path."
            ) from error
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise UsageError(
            f"{function} fails with {type(error).__name__}: {first_line(error)} "
            f"({Path(frame.filename).name}, line {frame.lineno})."
        ) from error
    finally:
        sys.path.remove(here)


def _described(name: str, program: ExportedProgram, model: nn.Module) -> LoadedProgram:
    """Check that the program is one that can be exported, and say what it takes and gives."""
    signature = program.graph_signature
    if trained := next((node for node in program.graph.nodes if _is_training(node)), None):
        raise UsageError(
            f"{name} was exported in training mode, as its {trained.name} shows; call eval() on "
            "the network before torch.export."
        )
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    inputs = [values.get(argument) for argument in signature.user_inputs]
    outputs = [values.get(argument) for argument in signature.user_outputs]
    (taken, input_note), (given, output_note) = (
        _spec(name, "input", inputs),
        _spec(name, "output", outputs),
    )
    if input_note or output_note:
        model = _RealBorders(model, bool(input_note), bool(output_note))
    notes = tuple(note for note in (input_note, output_note) if note)
    return LoadedProgram(program, model, taken, given, notes)


def _is_training(node: Node) -> bool:
    """Tell whether an operator such as a dropout or a batch norm is told to train."""
    if not isinstance(node.target, OpOverload):
        return False
    names = [argument.name for argument in node.target._schema.arguments]
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    return given.get("training") is True or given.get("train") is True


def _spec(name: str, kind: str, values: list[Any]) -> tuple[TensorSpec, str | None]:
    """Return the spec of the only input or output, and a note where it is complex."""
    if len(values) != 1:
        raise UsageError(
            f"{name} has {len(values)} {kind}s; networks of one tensor in and one out "
            "can be exported."
        )
    (value,) = values
    if not isinstance(value, Tensor) or value.dtype not in (torch.float32, torch.complex64):
        is_tensor = isinstance(value, Tensor)
        what = str(value.dtype).removeprefix("torch.") if is_tensor else type(value).__name__
        raise UsageError(f"{name}'s {kind} is of the type {what}; float32 can be exported.")
    shape = tuple(value.shape)
    if not all(isinstance(axis, int) for axis in shape):
        raise UsageError(
            f"{name}'s {kind} has the dynamic shape {' x '.join(map(str, shape))}; call "
            "torch.export again without dynamic_shapes, because files for phones have static ones."
        )
    if not value.dtype.is_complex:
        return TensorSpec(kind, shape, "float32"), None
    note = (
        f"{name}'s {kind} is complex; in the file it is real with a trailing axis of 2, "
        "the real and the imaginary part."
    )
    return TensorSpec(kind, (*shape, 2), "float32"), note


class _RealBorders(nn.Module):
    """A network of complex tensors as one that takes and gives their parts, on a last axis of 2."""

    def __init__(self, network: nn.Module, complex_input: bool, complex_output: bool) -> None:
        super().__init__()
        self.network = network
        self.complex_input, self.complex_output = complex_input, complex_output

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.network(torch.view_as_complex(x) if self.complex_input else x)
        return torch.view_as_real(y.resolve_conj()) if self.complex_output else y
