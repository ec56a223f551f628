"""The graph of an ML program: its operators in order, with their constants read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from affnet.errors import ArtifactError
from affnet.runtimes.mlprogram.constants import Constants, Value
from affnet.runtimes.mlprogram.types import TensorType, tensor_type

#: The one operator of control flow that can be evaluated.
LOOP = "while_loop"


@dataclass(frozen=True)
class Reference:
    """An argument that is the output of an earlier operator or an input of the function."""

    name: str


@dataclass(frozen=True)
class Output:
    """An output of an operator; ``type`` is None where it is no tensor."""

    name: str
    type: TensorType | None


@dataclass(frozen=True)
class Node:
    """One operator: each parameter's arguments are values or references."""

    operator: str
    location: str  # for messages: where it stands
    parameters: dict[str, tuple[Value | Reference, ...]]
    outputs: tuple[Output, ...]
    blocks: tuple[Block, ...] = ()  # of control flow only

    @property
    def nested(self) -> tuple[Node, ...]:
        """The operators of its blocks."""
        return tuple(node for block in self.blocks for node in block.nodes)

    def references(self) -> Iterator[str]:
        """Yield the names it reads, those of its blocks included."""
        for arguments in self.parameters.values():
            for argument in arguments:
                if isinstance(argument, Reference):
                    yield argument.name
        for node in self.nested:
            yield from node.references()


@dataclass(frozen=True)
class Block:
    """A part of an operator of control flow, which reads values from around it too."""

    inputs: tuple[str, ...]
    constants: dict[str, Value]
    nodes: tuple[Node, ...]
    results: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    """A function: inputs in order, constants by name, operators in order, names of its results."""

    inputs: dict[str, TensorType | None]
    constants: dict[str, Value]
    nodes: tuple[Node, ...]
    results: tuple[str, ...]

    def walk(self) -> Iterator[Node]:
        """Yield every operator, those in blocks of control flow after the one that holds them."""
        pending = list(reversed(self.nodes))
        while pending:
            node = pending.pop()
            yield node
            pending.extend(reversed(node.nested))

    def type_of(self, name: str) -> TensorType | None:
        """Return the declared type of ``name``, None if it is no tensor or unknown."""
        if name in self.inputs:
            return self.inputs[name]
        for node in self.nodes:
            for output in node.outputs:
                if output.name == name:
                    return output.type
        return None


def read_function(message: Any, constants: Constants) -> Function:
    """Read a ``Function`` message, every constant included.

    Raises:
        ArtifactError: it contradicts itself: no block, a name used before it is defined.
        UnsupportedOperatorError: a constant is of a type that numpy lacks.
    """
    block = message.block_specializations.get(message.opset)
    if block is None:
        raise ArtifactError(f"The ML program holds no code for its operator set {message.opset!r}.")
    inputs = {value.name: tensor_type(value.type) for value in message.inputs}
    known, nodes = _read_operations(block.operations, "", constants)
    function = Function(inputs, known, nodes, tuple(block.outputs))
    _check_names(function)
    return function


def _read_operations(
    operations: Any, within: str, constants: Constants
) -> tuple[dict[str, Value], tuple[Node, ...]]:
    """Return the constants among operators by name, and the others; ``within`` says where."""
    known: dict[str, Value] = {}
    nodes = []
    for index, operation in enumerate(operations, start=1):
        location = f"operator {index} of {len(operations)}{within}"
        if operation.type == "const":
            if len(operation.outputs) != 1 or "val" not in operation.attributes:
                raise ArtifactError(f"The ML program holds a damaged constant, {location}.")
            known[operation.outputs[0].name] = constants.read(operation.attributes["val"])
        else:
            nodes.append(_node(operation, location, constants))
    return known, tuple(nodes)


def _node(message: Any, location: str, constants: Constants) -> Node:
    parameters: dict[str, tuple[Value | Reference, ...]] = {
        # before iOS 18, the data of compressed constants stand among the attributes
        name: (constants.read(value),)
        for name, value in message.attributes.items()
        if name != "name"
    }
    for name, argument in message.inputs.items():
        parameters[name] = tuple(
            Reference(binding.name)
            if binding.WhichOneof("binding") == "name"
            else constants.read(binding.value)
            for binding in argument.arguments
        )
    outputs = tuple(Output(value.name, tensor_type(value.type)) for value in message.outputs)
    if outputs:
        location = f"{location}, output {outputs[0].name!r}"
    blocks = tuple(
        Block(
            tuple(value.name for value in block.inputs),
            *_read_operations(block.operations, f" in a block of {location}", constants),
            tuple(block.outputs),
        )
        for block in message.blocks
    )
    name = " ".join(message.type.split())  # a damaged name must not break a message's line
    return Node(name, location, parameters, outputs, blocks)


def _check_names(function: Function) -> None:
    known = {*function.inputs, *function.constants}
    for node in function.nodes:
        if node.blocks:  # names of a block are its own, and missed when it is run
            known.update(output.name for output in node.outputs)
            continue
        for name in node.references():
            if name not in known:
                raise ArtifactError(
                    f"The ML program uses {name!r} before it is defined, in {node.operator}, "
                    f"{node.location}."
                )
        known.update(output.name for output in node.outputs)
    for name in function.results:
        if name not in known:
            raise ArtifactError(f"The ML program returns {name!r}, which nothing defines.")
