"""OpenVINO's models in parts.

The reference is OpenVINO on this machine's CPU in float32, with each operator's values among the
outputs, so that few are fused.  It is no independent witness of that plugin; `verify` compares the
file with PyTorch for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, Artifact, TensorSpec
from affnet.export.bisection.graph import Operator, Part, value_spec
from affnet.runtimes import Interface
from affnet.runtimes.foreign import described
from affnet.runtimes.openvino import OpenVinoRuntime, compiled_model, library, model_of
from affnet.silence import silenced

_THREADS = 2
_BORDERS = ("Parameter", "Result")


class OpenVinoGraph:
    """The operators of a model; a value is named by its operator and number among its outputs."""

    reference: ClassVar = "OpenVINO on this machine, each operator's values kept"

    def __init__(self, artifact: Artifact, feed: Arrays) -> None:
        """Read a file, to be run on ``feed``, an array for each of its inputs."""
        OpenVinoRuntime.describe(artifact.path)  # says what is wrong with it
        self._artifact = artifact
        self._model = model_of(artifact.path)
        self.inputs = tuple(value_name(one.output(0)) for one in self._model.get_parameters())
        self.outputs = tuple(value_name(one.input_value(0)) for one in self._model.get_results())
        reached = {*self.inputs}
        self.operators = []
        for node in self._model.get_ordered_ops():
            read = [name for name in map(value_name, node.input_values()) if name in reached]
            if read and node.get_type_name() not in _BORDERS:
                made = tuple(map(value_name, node.outputs()))
                reached.update(made)
                self.operators.append(
                    Operator(
                        node.get_friendly_name(),
                        node.get_type_name(),
                        None,
                        tuple(dict.fromkeys(read)),
                        made,
                    )
                )
        self._values = self._computed(feed, sorted(reached - {*self.inputs}))

    def _computed(self, feed: Arrays, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        model = self._cut(self._model, {}, self.inputs, names)
        compiled = compiled_model(model, self._artifact.path, _THREADS)
        found = compiled.create_infer_request().infer([*feed])
        given = dict(zip(self.inputs, feed, strict=True))
        outputs = zip(names, compiled.outputs, strict=True)
        return given | {name: np.array(found[output]) for name, output in outputs}

    def _cut(
        self, model: Any, values: Mapping[str, Any], reads: Sequence[str], writes: Sequence[str]
    ) -> Any:
        """Return what computes ``writes`` from ``reads``, of which ``values`` are new inputs."""
        with silenced():
            from openvino import opset1

            own = {value_name(one.output(0)): one for one in model.get_parameters()}
            made = {value_name(port): port for node in model.get_ops() for port in node.outputs()}
            results = [opset1.result(made[name]) for name in writes]
            return library().Model(results, [values.get(n) or own[n] for n in reads], "part")

    def values(self, names: Sequence[str]) -> Mapping[str, NDArray[Any] | None]:
        """See `CutGraph.values`."""
        return {name: self._values.get(name) for name in names}

    def stored(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """See `CutGraph.stored`: float16 is how weights are stored, and nothing else."""
        return value

    def write(self, part: Part, path: Path) -> Artifact | None:
        """See `CutGraph.write`."""
        model = model_of(self._artifact.path)  # one that may be changed
        chosen = {one.name for one in self.operators[part.start : part.end]}
        fed = {name: self._parameter(name) for name in part.reads if name not in self.inputs}
        for node in model.get_ops():
            if node.get_friendly_name() in chosen:
                for taken in node.inputs():
                    if (name := value_name(taken.get_source_output())) in fed:
                        taken.replace_source_output(fed[name].output(0))
        with silenced():
            library().save_model(
                self._cut(model, fed, part.reads, part.writes), path, compress_to_fp16=False
            )
        inputs, outputs = (tuple(map(self._spec, names)) for names in (part.reads, part.writes))
        return described(path, Interface(inputs, outputs, self._artifact.manifest.precision))

    def _parameter(self, name: str) -> Any:
        from openvino import opset1

        value = self._values[name]
        return opset1.parameter(list(value.shape), value.dtype)

    def _spec(self, name: str) -> TensorSpec:
        if name in self.inputs:
            return self._artifact.manifest.inputs[self.inputs.index(name)]
        return value_spec(name, self._values[name])


def value_name(port: Any) -> str:
    """Return how a value is named here, an output of one of a model's operators."""
    index = port.get_index()
    name: str = port.get_node().get_friendly_name()
    return f"{name}:{index}" if index else name
