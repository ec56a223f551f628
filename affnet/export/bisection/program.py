"""Formats whose files are sealed, in parts that are compiled anew from the network.

A delegate's share of an ExecuTorch program is a blob, and Core AI's program is compiled from the
whole.  So the network is made ready again as the file's manifest says, traced, and cut there; a
part goes through the same converter as the file did.  The reference is PyTorch, one operator after
the other in float32, also where the file has float16.

A converter sees a part without what stands around it: at a cut nothing is fused, and memory is laid
out as at an input.  What is wrong only where it is fused is found as operators that are wrong
together, or not at all.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import Graph, GraphModule, Interpreter, Node
from torch.fx.node import map_aggregate
from torch.fx.passes.fake_tensor_prop import FakeTensorProp
from torch.utils._pytree import tree_leaves

from affnet.artifact import Arrays, Artifact, TensorSpec
from affnet.errors import ConversionError, UsageError, reason_of
from affnet.export.bisection.graph import Operator, Part, value_spec
from affnet.export.bisection.remade import remade
from affnet.export.borders import Borders, held_outputs
from affnet.export.converters import CompilingConverter, get_converter
from affnet.export.converters.executorch.half_program import is_operator, operator_name
from affnet.export.converters.tracing import decomposed
from affnet.model.source import Source
from affnet.runtimes import Interface
from affnet.runtimes.foreign import described
from affnet.silence import silenced

_WRAPPED = "network."  # of a network with a head, or with other borders
_NUMBERS = "fiu"


class ProgramGraph:
    """The operators of a network as its converter gets it; a value is named by its node."""

    reference: ClassVar = "PyTorch's operators in float32"

    def __init__(self, artifact: Artifact, feed: Arrays, source: Source) -> None:
        """Make the network of a file again, to be run on ``feed``, an array for each input."""
        self._artifact = artifact
        converter = get_converter(artifact.manifest.format)
        self._converter = cast("type[CompilingConverter]", converter)
        network, self._request = remade(artifact, source, converter)
        self._module = self._traced(network, feed)
        *nodes, output = self._module.graph.nodes
        self._made = {node.name: node for node in nodes}
        self.inputs = tuple(node.name for node in nodes if node.op == "placeholder")
        self.outputs = tuple(one.name for one in tree_leaves(output.args) if isinstance(one, Node))
        self._reached = {*self.inputs}
        self.operators = list(self._computing())
        self._values = _Wide(self._module).computed(feed)

    def _traced(self, network: nn.Module, feed: Arrays) -> GraphModule:
        """Return the operators that the converter gets, each with the type of what it gives."""
        example = tuple(map(torch.from_numpy, feed))
        with silenced():
            try:
                module, found = self._converter.in_precision(network, self._request)
                if not isinstance(module, GraphModule):
                    program = decomposed(module, example, {})  # as in float16: nothing in place
                    module = program.module(check_guards=False)
                fake = FakeTensorMode(allow_non_fake_inputs=True)
                FakeTensorProp(module, fake).propagate(*example)
            except Exception as error:  # torch.export raises nearly every kind
                path = self._artifact.path
                raise ConversionError(
                    f"{path} cannot be traced again: {reason_of(error)}."
                ) from error
        if _kept(found) != _kept(self._artifact.manifest.details):
            raise UsageError(
                f"{self._artifact.path} has other operators in float32 than its network gets now",
                "bisect it with the inputs it was exported with (--verify-on), or export it again.",
            )
        return module

    def _computing(self) -> Iterator[Operator]:
        """Yield what the inputs reach, an operator with several results once."""
        for node in self._module.graph.nodes:
            read = [one.name for one in node.all_input_nodes if one.name in self._reached]
            if read and is_operator(node):
                several = isinstance(node.meta["val"], (list, tuple))
                made = tuple(one.name for one in (node.users if several else (node,)))
                self._reached.update(made)
                yield Operator(node.name, operator_name(node), _module(node), tuple(read), made)

    def values(self, names: Sequence[str]) -> Mapping[str, NDArray[Any] | None]:
        """See `CutGraph.values`."""
        return {name: self._values.get(name) for name in names}

    def stored(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """See `CutGraph.stored`: in the type of the cut, or what stands for it in the format."""
        with np.errstate(over="ignore"):
            return value.astype(held_outputs([self._spec(name)], self._converter)[0].dtype)

    def write(self, part: Part, path: Path) -> Artifact | None:
        """See `CutGraph.write`."""
        if not all(map(self._can_be_handed_over, (*part.reads, *part.writes))):
            return None
        inputs, outputs = (tuple(map(self._spec, names)) for names in (part.reads, part.writes))
        taken, given = (held_outputs(specs, self._converter) for specs in (inputs, outputs))
        module: nn.Module = self.module(part)
        if (taken, given) != (inputs, outputs):
            module = Borders(module, inputs, given)
        request = dataclasses.replace(
            self._request,
            name=path.stem,
            inputs=taken,
            outputs=given,
            precision="fp32",  # see `CompilingConverter.in_precision`
            native_fft=False,
            labels=None,
        )
        if path.is_dir():
            shutil.rmtree(path)
        try:
            made = self._converter().convert(module, request, path.parent).path
        except ConversionError:  # it takes the whole, but not this
            return None
        return described(made, Interface(taken, given, self._artifact.manifest.precision))

    def module(self, part: Part) -> GraphModule:
        """Return the operators of a part, with what makes the constants that they read."""
        made = {name for one in self.operators[part.start : part.end] for name in one.writes}
        graph = Graph()
        copies = {self._made[name]: graph.placeholder(name) for name in part.reads}
        for node in _needed(self._module.graph, made, part.reads):
            copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(tuple(copies[self._made[name]] for name in part.writes))
        return GraphModule(self._module, graph)

    def _can_be_handed_over(self, name: str) -> bool:
        value = self._values.get(name)
        if value is None or value.dtype.kind not in _NUMBERS:
            return False
        held = self._converter.border_types.get(self._spec(name).dtype, "")
        return held is not None and (self._converter.scalar_inputs or value.ndim > 0)

    def _spec(self, name: str) -> TensorSpec:
        kind = str(self._made[name].meta["val"].dtype).removeprefix("torch.")
        return value_spec(name, self._values[name], kind)


class _Wide(Interpreter):
    """Computes in float32 what a graph computes in float16, and keeps all values."""

    def computed(self, feed: Arrays) -> dict[str, NDArray[Any]]:
        """Return each node's value, if that is one tensor."""
        self._found: dict[str, NDArray[Any]] = {}
        with torch.inference_mode():
            self.run(*map(torch.from_numpy, feed))
        return self._found

    def run_node(self, n: Node) -> Any:
        """Run a node and keep what it gives."""
        result = map_aggregate(super().run_node(n), _widened)
        if isinstance(result, Tensor) and n.op != "get_attr" and not result.is_complex():
            self._found[n.name] = result.numpy()
        return result

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Run an operator, whose new tensors are of float32 too."""
        return super().call_function(
            target, map_aggregate(args, _widened), map_aggregate(kwargs, _widened)
        )


def _widened(value: Any) -> Any:
    if isinstance(value, Tensor) and value.dtype == torch.float16:
        return value.float()
    return torch.float32 if value is torch.float16 else value


def _needed(graph: Graph, made: Collection[str], reads: Collection[str]) -> list[Node]:
    """Return, in their order, the nodes that make the values ``made`` out of ``reads``."""
    wanted = {*made}
    found = []
    for node in reversed(graph.nodes):
        if node.name in wanted and node.name not in reads:
            found.append(node)
            wanted.update(one.name for one in node.all_input_nodes)
    return found[::-1]


def _module(node: Node) -> str | None:
    """Return the module whose call a node is part of."""
    calls = list(node.meta.get("nn_module_stack", {}).values())
    name = str(calls[-1][0]) if calls else ""
    while name.startswith(_WRAPPED):
        name = name.removeprefix(_WRAPPED)
    return name or None


def _kept(details: Mapping[str, Any]) -> list[str]:
    """Return which operators a manifest says that stay in float32."""
    return [one["operator"] for one in details.get("float16", {}).get("kept_float32", ())]
