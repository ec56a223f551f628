"""The ways in which a network's operators are found, in the order they are tried."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.fx import Node
from torch.utils import _pytree as pytree

from affnet.model.capture.assertions import Assertion, failing_assertion, without_assertions
from affnet.model.capture.calls import copied, is_sparse
from affnet.model.capture.comparison import compare
from affnet.model.capture.open_frames import open_lengths_taken
from affnet.model.capture.recording import record
from affnet.model.export_failures import capture_failure, described_failure
from affnet.model.open_lengths import OpenCall
from affnet.model.stack_traces import helpers_noted
from affnet.silence import silenced

_MAX_FILES = 10  # whose assertions are dropped, one after the other


@dataclass(frozen=True)
class Captured:
    """A program of what a network computes, and how it was found."""

    program: ExportedProgram
    by: str
    notes: tuple[str, ...] = ()  # what the user should know, a sentence each
    attempts: tuple[dict[str, str], ...] = ()  # that failed before it: by, reason

    def record(self) -> dict[str, Any]:
        """Return what a manifest says of it: nothing where the first attempt succeeded."""
        return {"by": self.by, "attempts": list(self.attempts)} if self.attempts else {}


@dataclass(frozen=True)
class _Call:
    """The network, and the arguments of its example."""

    network: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    dynamic_shapes: Any = None


def capture(
    function: str,
    network: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None = None,
    opened: OpenCall | None = None,
) -> Captured:
    """Return a program of the network that ``function`` built, which runs on ``args``.

    ``opened`` says which axes of ``args`` are dynamic, if any are.

    Raises:
        ConversionError: no attempt succeeds; the message names the line of the user's code.
    """
    logging.getLogger("torch.export").setLevel(logging.ERROR)
    call = _Call(network, args, kwargs or {})
    if opened is not None:
        args, kwargs = opened.for_capture()
        call = _Call(network, args, kwargs, opened.shapes_for(network, args, kwargs))
    failures: list[tuple[str, Exception]] = []
    for by, attempt in _ATTEMPTS.items():
        try:
            with silenced(stdout=False):  # what forward itself prints is the user's
                program, notes = attempt(call, failures[0][1] if failures else None)
        except _NotApplicableError:
            continue
        except Exception as error:  # torch.export raises nearly every kind
            failures.append((by, error))
        else:
            tried = tuple({"by": name, "reason": described_failure(e)} for name, e in failures)
            return Captured(program, by, tuple(notes), tried)
    raise capture_failure(function, failures) from failures[0][1]


class _NotApplicableError(Exception):
    """An attempt has no way of getting further than those before it."""


def _exported(call: _Call, _: Exception | None = None) -> tuple[ExportedProgram, list[str]]:
    taken = open_lengths_taken() if call.dynamic_shapes is not None else nullcontext()
    with helpers_noted(), taken:
        program = torch.export.export(
            call.network, call.args, call.kwargs, dynamic_shapes=call.dynamic_shapes
        )
    _check_recordable(program)
    if call.dynamic_shapes is None:
        _check_outputs_fixed(program)
    # Tensors without values are let through where real ones are refused (padding by reflection
    # beyond the length), so that a network that catches the error takes its other way here only.
    with torch.no_grad():
        program.module()(*copied(call.args), **copied(call.kwargs))
    return program, []


def _check_recordable(program: ExportedProgram) -> None:
    """Raise for what torch.export lets through and no file holds, though its recording can be."""
    stored = [*program.state_dict.items(), *program.constants.items()]
    if sparse := [name for name, value in stored if is_sparse(value)]:
        raise ValueError(f"{sparse[0]} is a sparse tensor, which no file holds")
    if wrapped := [name for name, value in stored if _is_wrapped(value)]:
        raise ValueError(f"{wrapped[0]} is a tensor of a torch.vmap that has ended")
    live = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        if any(source.name in live for source in node.all_input_nodes):
            live.add(node.name)
        masks = [source for source in node.all_input_nodes if _is_mask(source)]
        if masks and _has_open_size(node) and not any(mask.name in live for mask in masks):
            raise ValueError(f"{node.name} picks by {masks[0].name}, a mask of constants")


def _check_outputs_fixed(program: ExportedProgram) -> None:
    """Raise where values decide the size of an output: a recording finds the line, or a number."""
    (given,) = program.graph.output_node().args
    for leaf in pytree.tree_leaves(given):
        shape = getattr(leaf.meta.get("val"), "shape", ()) if isinstance(leaf, Node) else ()
        if not all(isinstance(length, int) for length in shape):
            lengths = " x ".join(map(str, shape))
            raise ValueError(f"the values of the input decide the size of an output, {lengths}")


def _is_wrapped(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(
        value
    )


def _is_mask(node: Node) -> bool:
    return getattr(node.meta.get("val"), "dtype", None) is torch.bool


def _has_open_size(node: Node) -> bool:
    return isinstance(node.target, OpOverload) and (
        torch.Tag.dynamic_output_shape in node.target.tags
    )


def _without_assertions(
    call: _Call, failure: Exception | None
) -> tuple[ExportedProgram, list[str]]:
    assert failure is not None  # it comes second
    error, dropped = failure, list[Assertion]()
    with ExitStack() as stack:
        for _ in range(_MAX_FILES):
            assertion = failing_assertion(error)
            if assertion is None or assertion.file in {each.file for each in dropped}:
                break
            dropped.append(assertion)
            stack.enter_context(without_assertions(assertion.file))
            try:
                program, _ = _exported(call)
            except Exception as other:  # torch.export raises nearly every kind
                error = other
                continue
            return program, [f"The file does not check what {each} does." for each in dropped]
    if not dropped:
        raise _NotApplicableError
    raise error


def _recorded(call: _Call, _: Exception | None) -> tuple[ExportedProgram, list[str]]:
    if call.dynamic_shapes is not None:
        raise _NotApplicableError  # it is of the lengths that it was made with
    recording = record(call.network, call.args, call.kwargs)
    with torch.no_grad():
        program = torch.export.export(recording.network, call.args, call.kwargs)
    compared = compare(
        call.network, program.module(), call.args, call.kwargs, doubts=recording.doubts
    )
    return program, [
        f"{place} takes a number from the values of the input; the file keeps that of the "
        f"example, with which it agreed with the network on {compared} other inputs."
        for place in recording.doubts
    ]


_Attempt = Callable[[_Call, Exception | None], tuple[ExportedProgram, list[str]]]

_ATTEMPTS: dict[str, _Attempt] = {
    "torch.export": _exported,
    "torch.export without assertions": _without_assertions,
    "recording": _recorded,
}
