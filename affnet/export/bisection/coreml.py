"""ML programs of Core ML in parts, each a package of its own.

The reference is the evaluator of ML programs, with what a program has in float16 computed in
float32, so that what float16 loses shows as an error too.  A program names no modules of PyTorch.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, Artifact, TensorSpec
from affnet.errors import UsageError
from affnet.export.bisection.graph import Operator, Part, value_spec
from affnet.export.bisection.mlprogram_part import VALUE_TYPES, write_part
from affnet.runtimes import Interface
from affnet.runtimes.coreml import as_feed
from affnet.runtimes.foreign import described
from affnet.runtimes.mlprogram import Program, load_program
from affnet.runtimes.mlprogram.graph import Node, Reference

_CLASSIFY = "classify"  # gives a label and a dictionary, of the probabilities that it reads


class CoremlGraph:
    """The operators of an ML program; a value is named as in the program."""

    reference: ClassVar = "the evaluator of ML programs, in float32"

    def __init__(self, artifact: Artifact, feed: Arrays) -> None:
        """Read a file, to be run on ``feed``, an array for each of its inputs."""
        program = load_program(artifact.path)
        if not isinstance(program, Program):
            raise UsageError(
                f"{artifact.path} is a pipeline, of which no part can be run alone",
                "export the network without a head, and bisect that.",
            )
        self._artifact, self._program = artifact, program
        self._types = {
            **program.function.inputs,
            **{out.name: out.type for node in program.function.nodes for out in node.outputs},
        }
        self.inputs = tuple(taken.name for taken in program.inputs)
        self.outputs = tuple(self._outputs())
        self._feed = dict(zip(self.inputs, feed, strict=True))
        self._values = self._evaluated(feed)
        self.operators = [_operator(node, self._values) for node in self._computing()]

    def _outputs(self) -> Iterator[str]:
        """Yield what the file gives as arrays, a classifier's probabilities as it reads them."""
        made_by = {out.name: node for node in self._program.function.nodes for out in node.outputs}
        for given in self._program.outputs:
            node = made_by.get(given.name)
            if node is None or node.operator != _CLASSIFY:
                yield given.name
            elif given.kind == "probabilities":
                (read,) = node.parameters["probabilities"]
                yield read.name if isinstance(read, Reference) else given.name

    def _computing(self) -> Iterator[Node]:
        """Yield the operators whose results depend on the inputs."""
        for node in self._program.function.nodes:
            if node.operator != _CLASSIFY and any(out.name in self._values for out in node.outputs):
                yield node

    def _evaluated(self, feed: Arrays) -> dict[str, NDArray[Any]]:
        """Return all values that depend on the inputs, and are arrays."""
        values: dict[str, NDArray[Any]] = {}
        steps = self._program.steps(as_feed(self._program, feed), precision="float32")
        for node, computed in steps:
            if node is None or not values.keys().isdisjoint(node.references()):
                arrays = {n: one for n, one in computed.items() if isinstance(one, np.ndarray)}
                values.update(arrays)
        return values

    def values(self, names: Sequence[str]) -> Mapping[str, NDArray[Any] | None]:
        """See `CutGraph.values`."""
        return {name: self._feed.get(name, self._values.get(name)) for name in names}

    def stored(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """See `CutGraph.stored`."""
        kind = self._types[name]
        half = kind is not None and kind.dtype == "float16" and value.dtype == np.float32
        with np.errstate(over="ignore"):
            return value.astype(np.float16) if half else value

    def write(self, part: Part, path: Path) -> Artifact | None:
        """See `CutGraph.write`; Core ML hands over no truth values, and no scalars."""
        made = [name for name in (*part.reads, *part.writes) if name not in self.inputs]
        if not all(self._can_be_handed_over(name) for name in made):
            return None
        if path.exists():
            shutil.rmtree(path)
        outputs = {name for one in self.operators[part.start : part.end] for name in one.writes}
        write_part(self._artifact.path, outputs, part.reads, part.writes, path)
        inputs, given = (tuple(map(self._spec, names)) for names in (part.reads, part.writes))
        return described(path, Interface(inputs, given, self._artifact.manifest.precision))

    def _can_be_handed_over(self, name: str) -> bool:
        kind, value = self._types[name], self._values.get(name)
        return bool(kind and kind.dtype in VALUE_TYPES and value is not None and value.ndim)

    def _spec(self, name: str) -> TensorSpec:
        taken = dict(zip(self.inputs, self._artifact.manifest.inputs, strict=True))
        if name in taken:
            return taken[name]
        return value_spec(name, self.stored(name, self._values[name]))


def _operator(node: Node, values: Mapping[str, Any]) -> Operator:
    reads = dict.fromkeys(name for name in node.references() if name in values)
    outputs = tuple(output.name for output in node.outputs)
    return Operator(outputs[0], node.operator, None, tuple(reads), outputs)
