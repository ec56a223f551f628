"""What no file can hold, whatever its operators: randomness, memory from run to run, constants."""

from __future__ import annotations

import operator
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import compress
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.export.graph_signature import ExportGraphSignature, InputKind, OutputKind
from torch.fx import Node
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from affnet.errors import UsageError
from affnet.model.arguments import register_dataclasses
from affnet.model.capture.calls import (
    copied,
    has_subclass,
    is_view,
    named_tensors,
    subclasses_of_results,
    written_arguments,
)
from affnet.model.capture.comparison import difference
from affnet.model.export_failures import own_failure
from affnet.model.stack_traces import place_of, users_frames

_INPUT = OutputKind.USER_INPUT_MUTATION
_CHANGES = (OutputKind.BUFFER_MUTATION, OutputKind.PARAMETER_MUTATION, _INPUT)
_COPIES = (
    *(torch.ops.aten.alias.default, torch.ops.aten.clone.default),
    *(torch.ops.aten.detach.default, torch.ops.aten._to_copy.default),
)
_SAME = 1e-4  # of the largest output: what the order of sums may change between two runs


def check_runs(
    function: str, network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
) -> None:
    """Run the network that ``function`` built on its example, twice, and another input between.

    What it caches are numbers then: `torch.export` alone would leave its stand-ins for tensors in
    such a cache.

    Raises:
        UsageError: it is not on the CPU, it fails, or gives two outputs for one input.
    """
    kwargs = kwargs or {}
    _check_devices(function, network, pytree.tree_leaves((args, kwargs)))
    random = _RandomCalls()
    try:
        with torch.no_grad():
            register_dataclasses(network(*copied(args), **copied(kwargs)))
            first = copied(pytree.tree_leaves(network(*copied(args), **copied(kwargs))))
            _run_on_another(network, args, kwargs)
            with subclasses_of_results(), random:
                second = pytree.tree_leaves(network(*copied(args), **copied(kwargs)))
    except Exception as error:  # the user's own code
        raise own_failure(function, error) from error
    if difference(second, first) > (0 if random.places else _SAME):
        if not random.places and (changed := _changed(network, args, kwargs)):
            kind, name = changed
            raise UsageError(
                f"The network of {function} changes its {kind} {name!r} when it runs, and its "
                "output depends on what it was; a file keeps nothing from run to run",
                f"make {name!r} an input of forward, and its new value an output.",
            )
        where = f" at {random.places[0]}" if random.places and random.places[0] else ""
        raise UsageError(
            f"The network of {function} gives another output for the same input each time: its "
            f"forward draws random numbers{where}, or keeps something from run to run",
            "switch dropout and noise off in eval mode (training=self.training), make the noise an "
            "input, or make what it keeps an input and an output.",
        )


def _run_on_another(network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Run on half the example, of which nothing may be left; the network may not take it."""

    def halved(leaf: Any) -> Any:
        is_number = isinstance(leaf, Tensor) and (leaf.is_floating_point() or leaf.is_complex())
        return leaf * 0.5 if is_number else leaf

    others, named = pytree.tree_map(halved, copied((args, kwargs)))
    with suppress(Exception):
        network(*others, **named)


def _changed(
    network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str, str] | None:
    """Return a buffer or attribute that a run on another input changes by its name, if one is."""
    before = {name: tensor.detach().clone() for name, tensor in _kept(network)}
    with torch.no_grad():
        _run_on_another(network, args, kwargs)
    buffers = dict(named_tensors(network))
    for name, tensor in _kept(network):
        if name not in before or not torch.equal(tensor, before[name]):
            return "buffer" if name in buffers else "attribute", name
    return None


def _kept(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield parameters, buffers and tensors that are attributes, each with its name."""
    yield from named_tensors(network)
    for path, module in network.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, Tensor):
                yield f"{path}.{name}".lstrip("."), value


def _check_devices(function: str, network: nn.Module, inputs: Iterable[Any]) -> None:
    tensors = [(name, tensor) for name, tensor in named_tensors(network)]
    tensors += [("its example input", leaf) for leaf in inputs if isinstance(leaf, Tensor)]
    for name, tensor in tensors:
        if tensor.device.type != "cpu":
            raise UsageError(
                f"The network of {function} is on the device {tensor.device}: {name}",
                "return the network and its example with .cpu(); files are made on the CPU.",
            )


class _RandomCalls(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the lines that draw random numbers."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.places: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a call, and note where it was made if it is a random one."""
        if has_subclass(types):
            return NotImplemented
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.places.append(place_of(users_frames(traceback.extract_stack()[:-1])))
        return func(*args, **kwargs or {})


def check_program(name: str, program: ExportedProgram) -> tuple[ExportedProgram, tuple[str, ...]]:
    """Return the program without what it only keeps for itself, and what should be said of that.

    Raises:
        UsageError: it is in training mode, no output depends on an input, or one depends on what
            an earlier run left.
    """
    if trained := next((node for node in program.graph.nodes if _is_training(node)), None):
        raise UsageError(
            f"{name} was exported in training mode, as its {trained.name} shows",
            "call eval() on the network before torch.export.",
        )
    nodes = {node.name: node.meta.get("val") for node in program.graph.nodes}
    outputs = program.graph_signature.user_outputs
    if not any(isinstance(nodes.get(str(each)), Tensor) for each in outputs):
        raise UsageError(f"{name} returns no tensor", "let its forward return one.")
    notes: tuple[str, ...] = ()
    if _writes_to_given(program):
        functional = _functional(program)  # in which each change is an output
        notes = _changes(name, functional)
        program = _without_changes(functional)
    if not _depends(program) and not _depends(_functional(program)):
        raise UsageError(
            f"The output of {name} does not depend on its input",
            "let forward compute it from its argument with torch's functions; what went "
            "through numpy, .item() or .tolist() is a constant.",
        )
    return program, notes


def _functional(program: ExportedProgram) -> ExportedProgram:
    with warnings.catch_warnings():  # torch copies its own trees in a way that it warns of
        warnings.simplefilter("ignore", FutureWarning)
        functional: ExportedProgram = program.run_decompositions({})
        return functional


def _changes(name: str, program: ExportedProgram) -> tuple[str, ...]:
    """Return what should be said of what a program in functional form writes to.

    Raises:
        UsageError: an output depends on what an earlier run left.
    """
    signature, sources, notes = program.graph_signature, _sources(program), []
    stored = {str(spec.target): spec.arg.name for spec in signature.input_specs if spec.target}
    for spec in signature.output_specs:
        target = str(spec.target)
        if target in stored and _is_kept(program, spec.arg.name, stored[target]):
            continue  # self.window = self.window.to(x.device)
        if spec.kind is _INPUT:
            notes.append(f"{name} changes its input {target!r} in place; the file leaves it as is.")
        elif spec.kind in _CHANGES and stored[target] in sources:
            raise UsageError(
                f"{name} changes its buffer {target!r} when it runs, and its output depends on "
                "what it was; a file keeps nothing from run to run",
                f"make {target!r} an input of forward, and its new value an output.",
            )
        elif spec.kind in _CHANGES:
            notes.append(
                f"{name} changes its buffer {target!r} when it runs; the file does not, and its "
                "outputs do not depend on it."
            )
    return tuple(notes)


def _is_kept(program: ExportedProgram, new: str, old: str) -> bool:
    """Return whether what is stored as the ``new`` value is the ``old`` one, or a copy of it."""
    nodes = {node.name: node for node in program.graph.nodes}
    node = nodes[new]
    while node.target in _COPIES and node.meta["val"].dtype == node.args[0].meta["val"].dtype:
        node = node.args[0]
    return node is nodes[old]


def _is_training(node: Node) -> bool:
    """Return whether an operator such as a dropout or a batch norm is told to train.

    A norm that keeps no running statistics takes those of its input, trained or not.
    """
    if not isinstance(node.target, OpOverload):
        return False
    names = [argument.name for argument in node.target._schema.arguments]
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    if "running_mean" in names and given.get("running_mean") is None:
        return False
    return given.get("training") is True or given.get("train") is True


def _writes_to_given(program: ExportedProgram) -> bool:
    """Return whether an operator writes in place to an input, a parameter, a buffer or a view."""
    kept = {getattr(spec.arg, "name", "") for spec in program.graph_signature.input_specs}
    if any(spec.kind in _CHANGES for spec in program.graph_signature.output_specs):
        return True
    for node in program.graph.nodes:
        if not isinstance(node.target, OpOverload):
            continue
        if is_view(node.target) and node.all_input_nodes and node.all_input_nodes[0].name in kept:
            kept.add(node.name)
        written = written_arguments(node.target, node.args, node.kwargs)
        if any(isinstance(argument, Node) and argument.name in kept for argument in written):
            return True
    return False


def _depends(program: ExportedProgram) -> bool:
    """Return whether an output is computed from an input, as far as the graph shows it.

    What is written to a tensor, or to a view of it, is in all its views from there on.  To bring a
    program of thousands of operators into functional form, in which writes are operators like any
    other, takes as long as its export.
    """
    specs = program.graph_signature.input_specs
    live = {spec.arg.name for spec in specs if spec.kind is InputKind.USER_INPUT}
    if not live:
        return True
    owners: dict[Node, str] = {}  # by whose name a node's memory goes
    for node in program.graph.nodes:
        owners[node], written = node.name, list[Any]()
        if node.target is operator.getitem:
            owners[node] = owners[node.args[0]]
        elif isinstance(node.target, OpOverload):
            written = written_arguments(node.target, node.args, node.kwargs)
            if any(each.alias_info for each in node.target._schema.returns) and node.args:
                shared = written or node.all_input_nodes
                owners[node] = owners.get(shared[0], node.name) if shared else node.name
        if any({source.name, owners[source]} & live for source in node.all_input_nodes):
            live.add(node.name)
            live.update(owners[each] for each in written if isinstance(each, Node))
    results = set(program.graph_signature.user_outputs)
    return any({node.name, owners[node]} & live for node in owners if node.name in results)


def _sources(program: ExportedProgram) -> set[str]:
    """Return the names of all nodes that the outputs are computed from."""
    results = {
        spec.arg.name
        for spec in program.graph_signature.output_specs
        if spec.kind is OutputKind.USER_OUTPUT
    }
    waiting = [node for node in program.graph.nodes if node.name in results]
    found: set[Node] = set()
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return {node.name for node in found}


def _without_changes(program: ExportedProgram) -> ExportedProgram:
    """Return a program in functional form without its new values of inputs and buffers."""
    signature, graph = program.graph_signature, program.graph
    output = graph.output_node()
    kept = [spec.kind not in _CHANGES for spec in signature.output_specs]
    output.args = (tuple(compress(output.args[0], kept)),)
    graph.eliminate_dead_code()
    return ExportedProgram(
        root=program.graph_module,
        graph=graph,
        graph_signature=ExportGraphSignature(
            list(signature.input_specs), list(compress(signature.output_specs, kept))
        ),
        state_dict=program.state_dict,
        range_constraints=program.range_constraints,
        module_call_graph=program.module_call_graph,
        example_inputs=program.example_inputs,
        constants=program.constants,
        verifiers=program.verifiers,
    )
