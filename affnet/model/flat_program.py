"""An exported program as one that takes tensors by position and returns a tensor or several.

A forward may take and return dictionaries, lists, named tuples and numbers, and arguments by name.
A file takes and gives tensors.  In the graph of an exported program they stand one after the other
already; what is nested is said beside it.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.export.exported_program import ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ConstantArgument,
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
)
from torch.fx import Graph, Node
from torch.utils import _pytree as pytree


@dataclass(frozen=True)
class FlatProgram:
    """A program of tensors, and how what a network takes and returns differs from it."""

    program: ExportedProgram
    inputs: tuple[str, ...]  # their names
    outputs: tuple[str, ...]
    example: tuple[Tensor, ...] | None  # of its inputs; a file may have none
    arguments: Arguments | None  # None where the network takes and returns the same
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Arguments:
    """What a forward takes: its leaves, of which some are the inputs of a file."""

    spec: Any  # the tree of positional and named arguments
    leaves: tuple[Any, ...]  # constants in their places
    places: tuple[int, ...]  # of the inputs among the leaves

    def of(self, inputs: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and named arguments that hold ``inputs``."""
        leaves = list(self.leaves)
        for place, tensor in zip(self.places, inputs, strict=True):
            leaves[place] = tensor
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return args, kwargs

    def __deepcopy__(self, memo: object) -> Arguments:
        """Return itself: nothing changes it, and torch warns of copies of its trees."""
        return self


class FlatNetwork(nn.Module):
    """A network that takes tensors by position, and returns a tensor or a tuple of them."""

    def __init__(self, network: nn.Module, arguments: Arguments) -> None:
        super().__init__()
        self.network = network
        self._arguments = arguments

    def forward(self, *inputs: Tensor) -> Any:
        """Call the network, and keep the tensors of what it returns."""
        args, kwargs = self._arguments.of(inputs)
        leaves = pytree.tree_leaves(self.network(*args, **kwargs))
        outputs = tuple(leaf for leaf in leaves if isinstance(leaf, Tensor))
        return outputs[0] if len(outputs) == 1 else outputs


def flatten(name: str, program: ExportedProgram) -> FlatProgram:
    """Return the program called ``name`` as one of tensors.

    Numbers among its arguments become constants, as they are for `torch.export`, and inputs that
    no output depends on are dropped; notes say so.
    """
    signature = program.module_call_graph[0].signature
    assert signature is not None  # torch.export writes it
    taken = [s for s in program.graph_signature.input_specs if s.kind is InputKind.USER_INPUT]
    nodes = {node.name: node for node in program.graph.nodes}
    unused = {s.arg.name for s in taken if _is_tensor(nodes[s.arg.name]) and _is_dead(nodes, s)}
    constants = {s.arg.name for s in taken if not _is_tensor(nodes[s.arg.name])}
    kept = [s.arg.name for s in taken if s.arg.name not in unused | constants]
    leaves = _example_leaves(program, signature)
    notes = [
        f"{name} never uses its input {each!r}, which the file does not take."
        for each in sorted(unused)
    ]
    notes += [
        f"{each} of {name} is {nodes[each].meta.get('val')!r}, of the example; in the file it is "
        "a constant."
        for each in sorted(constants)
        if nodes[each].meta.get("val") is not None
    ]
    outputs, their_notes = _output_names(name, program, signature)
    places = tuple(i for i, s in enumerate(taken) if s.arg.name in kept)
    example = None if leaves is None else tuple(leaves[place].detach() for place in places)
    names = ("input",) if len(kept) == 1 else tuple(kept)
    if _is_flat(signature, program) and len(kept) == len(taken):
        return FlatProgram(program, names, outputs, example, None, (*notes, *their_notes))
    if leaves is None:  # what stands in for the values of what is not taken
        leaves = [nodes[s.arg.name].meta.get("val") for s in taken]
    flat = _rebuilt(program, unused | constants, kept, example)
    arguments = Arguments(signature.in_spec, tuple(leaves), places)
    return FlatProgram(flat, names, outputs, example, arguments, (*notes, *their_notes))


def _is_tensor(node: Node) -> bool:
    return isinstance(node.meta.get("val"), Tensor)


def _is_dead(nodes: dict[str, Node], spec: InputSpec) -> bool:
    """Return whether nothing is computed from an input but what is dropped."""
    return all(
        node.op == "call_function"
        and isinstance(node.target, OpOverload)
        and not node.target._schema.is_mutable  # what it writes to may be an output
        for node in _dependents(nodes[spec.arg.name])
    )


def _dependents(node: Node) -> list[Node]:
    """Return all nodes that are computed from ``node``, in their order."""
    found: dict[Node, None] = {}
    waiting = list(node.users)
    while waiting:
        user = waiting.pop()
        if user not in found:
            found[user] = None
            waiting += user.users
    return [each for each in node.graph.nodes if each in found]


def _example_leaves(program: ExportedProgram, signature: ModuleCallSignature) -> list[Any] | None:
    """Return what the program was exported with, in the order in which it takes it."""
    if program.example_inputs is None:
        return None
    args, kwargs = program.example_inputs
    named = signature.in_spec.children()[1]
    kwargs = {key: kwargs[key] for key in named.context or () if key in kwargs}
    leaves: list[Any] = pytree.tree_leaves((args, kwargs))
    return leaves if len(leaves) == signature.in_spec.num_leaves else None


def _is_flat(signature: ModuleCallSignature, program: ExportedProgram) -> bool:
    """Return whether a program takes tensors by position, and returns one or a tuple of them."""
    args, kwargs = signature.in_spec.children()
    given = signature.out_spec
    nested = not given.is_leaf() and (
        given.type is not tuple or not all(child.is_leaf() for child in given.children())
    )
    constant = any(isinstance(s.arg, ConstantArgument) for s in _user_outputs(program))
    return (
        not nested
        and not constant
        and kwargs.num_leaves == 0
        and all(child.is_leaf() for child in args.children())
    )


def _user_outputs(program: ExportedProgram) -> list[Any]:
    return [s for s in program.graph_signature.output_specs if s.kind is OutputKind.USER_OUTPUT]


def _output_names(
    name: str, program: ExportedProgram, signature: ModuleCallSignature
) -> tuple[tuple[str, ...], list[str]]:
    """Return a name for each tensor: of its key or field, else of its place; and notes."""
    spec, outputs = signature.out_spec, _user_outputs(program)
    paths, _ = pytree.tree_flatten_with_path(pytree.tree_unflatten(list(range(len(outputs))), spec))
    names: list[str] = []
    notes = []
    for output, (path, _) in zip(outputs, paths, strict=True):
        wanted = _identifier(path)
        if isinstance(output.arg, ConstantArgument):
            if output.arg.value is not None:
                notes.append(
                    f"{wanted} of what {name} returns is {output.arg.value!r} and no tensor, and "
                    "so not in the file."
                )
            continue
        names.append(free_name(wanted, names))
        if names[-1] != wanted:
            notes.append(f"Two outputs of {name} are called {wanted}; the later is {names[-1]}.")
    if len(names) == 1:
        return ("output",), notes
    return tuple(names), notes


def _identifier(path: Any) -> str:
    text = re.sub(r"\W+", "_", pytree.keystr(path), flags=re.ASCII).strip("_")
    return text if text and not text[0].isdigit() else f"output_{text}".rstrip("_")


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return ``wanted``, with a number where it is among those ``taken``."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _leave_out_guards(graph: Graph) -> None:
    """Have torch write no checks of open lengths, which would call inputs by their nested names.

    It writes none of a length that a constant gives.
    """
    from torch._dynamo.source import ConstantSource

    for node in graph.find_nodes(op="placeholder"):
        mode = getattr(node.meta.get("val"), "fake_mode", None)
        if mode is not None and mode.shape_env is not None:
            for sources in mode.shape_env.var_to_sources.values():
                sources.append(ConstantSource("flat"))
            return


def _rebuilt(
    program: ExportedProgram, dropped: set[str], kept: list[str], example: Any
) -> ExportedProgram:
    """Return ``program`` without some of its inputs and with what is nested laid out flat."""
    graph: Graph = copy.deepcopy(program.graph)
    for node, original in zip(graph.nodes, program.graph.nodes, strict=True):
        node.name = original.name  # a copy is called input_1 where the name is a Python builtin
    for node in [node for node in graph.nodes if node.op == "placeholder"]:
        if node.name in dropped:
            for dead in reversed(_dependents(node)):
                graph.erase_node(dead)
            graph.erase_node(node)
    specs = program.graph_signature.output_specs
    stays = [
        s.kind is not OutputKind.USER_OUTPUT or not isinstance(s.arg, ConstantArgument)
        for s in specs
    ]
    output = graph.output_node()
    values: Any = output.args[0]
    output.args = (tuple(value for value, stay in zip(values, stays, strict=True) if stay),)
    given = [spec for spec, stay in zip(specs, stays, strict=True) if stay]
    count = sum(spec.kind is OutputKind.USER_OUTPUT for spec in given)
    signature = ExportGraphSignature(
        [s for s in program.graph_signature.input_specs if s.arg.name not in dropped], given
    )
    whole = ModuleCallSignature(
        inputs=[],
        outputs=[],
        in_spec=pytree.tree_structure(((0,) * len(kept), {})),
        out_spec=pytree.tree_structure(0 if count == 1 else (0,) * count),
        forward_arg_names=kept,
    )
    _leave_out_guards(graph)
    return ExportedProgram(
        root=program.graph_module,
        graph=graph,
        graph_signature=signature,
        state_dict=program.state_dict,
        range_constraints=program.range_constraints,
        module_call_graph=[
            ModuleCallEntry("", whole),
            *(dataclasses.replace(entry) for entry in program.module_call_graph[1:]),
        ],
        example_inputs=None if example is None else (example, {}),
        constants=program.constants,
        verifiers=program.verifiers,
    )
