"""ONNX files in parts.

The reference is ONNX Runtime on this machine with its optimisations off: it runs every operator
that files here hold, each as it stands and by itself, in seconds, where onnx's own
``ReferenceEvaluator`` takes minutes for a network of images and lacks contributed operators.  It is
no independent witness of ONNX Runtime's kernels; `verify` compares the file with PyTorch for that.
Files of float16 are computed in float32, so that what float16 loses shows as an error too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, Artifact, TensorSpec
from affnet.errors import ArtifactError, first_line
from affnet.export.bisection.graph import Operator, Part, value_spec
from affnet.export.converters.onnx.float16_trial import exposing, named
from affnet.runtimes import Interface
from affnet.runtimes.foreign import described
from affnet.runtimes.onnx_modules import modules_by_weights
from affnet.runtimes.onnx_rounded import element_types, unoptimised_session, widened_model

if TYPE_CHECKING:
    import onnx

_THREADS = 2


class OnnxGraph:
    """The nodes of an ONNX file; those that no input reaches are constants."""

    reference: ClassVar = "onnxruntime with its optimisations off"

    def __init__(self, artifact: Artifact, feed: Arrays) -> None:
        """Read a file, to be run on ``feed``, an array for each of its inputs."""
        import onnx

        self._artifact = artifact
        self._model = named(onnx.load(artifact.path))
        graph = self._model.graph
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self.inputs = tuple(v.name for v in graph.input if v.name not in self._weights)
        self.outputs = tuple(value.name for value in graph.output)
        wide = (one.astype(np.float32) if one.dtype == np.float16 else one for one in feed)
        self._feed = dict(zip(self.inputs, wide, strict=True))
        self._types = element_types(onnx.shape_inference.infer_shapes(self._model).graph)
        self._nodes, fixed = _split(graph, self.inputs)
        self._session = self._open()
        names = [name for node in fixed for name in node.output if name]
        self._fixed = dict(zip(names, self._computed(names), strict=True))
        modules, constant = modules_by_weights(graph), {*self._weights, *self._fixed}
        self.operators = [
            Operator(
                node.name,
                node.op_type,
                modules.get(node.name),
                tuple(dict.fromkeys(name for name in _reads(node) if name not in constant)),
                tuple(filter(None, node.output)),
            )
            for node in self._nodes
        ]

    def _open(self) -> Any:
        """Return the session of the reference, which gives any value by its name."""
        names = [name for node in self._model.graph.node for name in node.output if name]
        try:
            return unoptimised_session(exposing(widened_model(self._model), names), _THREADS)
        except Exception as error:  # its exceptions share no base class
            path = self._artifact.path
            raise ArtifactError(f"ONNX Runtime rejects {path}: {first_line(error)}") from error

    def values(self, names: Sequence[str]) -> Mapping[str, NDArray[Any] | None]:
        """See `CutGraph.values`."""
        computed = [name for name in names if name not in self._feed]
        return {**self._feed, **dict(zip(computed, self._computed(computed), strict=True))}

    def _computed(self, names: Sequence[str]) -> list[NDArray[Any] | None]:
        found = self._session.run(names, self._feed) if names else []
        return [value if isinstance(value, np.ndarray) else None for value in found]

    def stored(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """See `CutGraph.stored`."""
        import onnx

        half = self._types.get(name) == onnx.TensorProto.FLOAT16
        with np.errstate(over="ignore"):
            return value.astype(np.float16) if half else value

    def write(self, part: Part, path: Path) -> Artifact | None:
        """See `CutGraph.write`."""
        import onnx

        values = self.values((*part.reads, *part.writes))
        tensors = {name: value for name, value in values.items() if value is not None}
        if not {*part.reads, *part.writes} <= tensors.keys():
            return None
        specs = {
            name: value_spec(name, self.stored(name, tensors[name]))
            for name in (*part.reads, *part.writes)
        }
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        graph = model.graph
        for field in ("node", "input", "output", "value_info", "initializer"):
            graph.ClearField(field)
        nodes = self._nodes[part.start : part.end]
        graph.node.extend(nodes)
        graph.input.extend(_declared(specs[name]) for name in part.reads)
        graph.output.extend(_declared(specs[name]) for name in part.writes)
        for name in dict.fromkeys(name for node in nodes for name in _reads(node)):
            if name in self._weights:
                graph.initializer.append(self._weights[name])
            elif (fixed := self._fixed.get(name)) is not None:
                graph.initializer.append(
                    onnx.numpy_helper.from_array(self.stored(name, fixed), name)
                )
        onnx.save(model, path)
        inputs, outputs = (tuple(specs[n] for n in names) for names in (part.reads, part.writes))
        return described(path, Interface(inputs, outputs, self._artifact.manifest.precision))


def _split(
    graph: onnx.GraphProto, inputs: Sequence[str]
) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """Return the nodes that compute with what the inputs hold, and those that give constants.

    A shape is one, because each part is for one shape.
    """
    reached = {*inputs}
    computing: list[onnx.NodeProto] = []
    fixed: list[onnx.NodeProto] = []
    for node in graph.node:
        depends = node.op_type not in ("Shape", "Size") and not reached.isdisjoint(_reads(node))
        (computing if depends else fixed).append(node)
        if depends:
            reached.update(node.output)
    return computing, fixed


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield what a node reads, and what graphs in it read from outside."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
            own = {value.name for value in (*graph.input, *graph.initializer)}
            own.update(name for inner in graph.node for name in inner.output)
            read = [name for inner in graph.node for name in _reads(inner)]
            read += [value.name for value in graph.output]
            yield from (name for name in read if name not in own)


def _declared(spec: TensorSpec) -> onnx.ValueInfoProto:
    import onnx

    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return onnx.helper.make_tensor_value_info(spec.name, kind, spec.static_shape())
