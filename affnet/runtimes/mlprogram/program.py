"""An ML program read from disk: what it says about itself, and its evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from affnet.errors import ArtifactError, UsageError
from affnet.runtimes.mlprogram.constants import Constants, Value, hold
from affnet.runtimes.mlprogram.description import (
    Feature,
    Metadata,
    deployment_target,
    read_input,
    read_metadata,
    read_output,
)
from affnet.runtimes.mlprogram.graph import LOOP, Function, Node, read_function
from affnet.runtimes.mlprogram.inputs import read_inputs
from affnet.runtimes.mlprogram.package import Package
from affnet.runtimes.mlprogram.types import numpy_dtype

if TYPE_CHECKING:
    from affnet.runtimes.mlprogram.execution import Evaluator

#: How float16 is treated: as the program declares it, or computed in float32 throughout.
Precision = Literal["declared", "float32"]


@dataclass
class Program:
    """An ML program; `read_program` reads one."""

    path: Path
    specification_version: int
    metadata: Metadata
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    function: Function
    _evaluator: Evaluator | None = field(default=None, repr=False)

    @property
    def deployment_target(self) -> str:
        """The first system that runs the model, such as ``iOS16``."""
        return deployment_target(self.specification_version)

    @property
    def class_labels(self) -> list[str | int] | None:
        """The labels of a classifier in the order of its probabilities, None for other models."""
        for node in self.function.nodes:
            if node.operator == "classify":
                labels: Any = node.parameters.get("classes", ([],))[0]
                return [label if isinstance(label, str) else int(label) for label in labels]
        return None

    def operator_counts(self) -> dict[str, int]:
        """Return how often each operator occurs, the most frequent first; constants left out."""
        counts = Counter(node.operator for node in self.function.walk())
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def predict(
        self, inputs: Mapping[str, Any], *, precision: Precision = "declared"
    ) -> dict[str, Value]:
        """Evaluate the program.

        Args:
            inputs: an array for each input.  An image is H x W x 3 uint8 RGB (H x W if grey), or
                a float array 1 x C x H x W in 0..255, also RGB: a BGR model gets it turned.
            precision: ``declared`` rounds what the program types as float16 after each operator;
                ``float32`` does not round, which isolates the error that float16 brings.

        Returns:
            An array for each output, of its declared type; for a classifier the label, and a
            dictionary from label to probability.  An image output is its array, as computed.

        Raises:
            UsageError: an input is missing, unknown, or of a wrong shape or type.
            UnsupportedOperatorError: an operator is not known here.
            ArtifactError: the program contradicts itself.
        """
        held, half = self._held(inputs), self._rounds(precision)
        results = self._opened().run(held, half=half)
        return {name: self._finish(name, value) for name, value in results.items()}

    def steps(
        self, inputs: Mapping[str, Any], *, precision: Precision = "declared"
    ) -> Iterator[tuple[Node | None, dict[str, Value]]]:
        """Yield what each operator gives, as `Evaluator.steps`; see `predict` for the rest."""
        return self._opened().steps(self._held(inputs), half=self._rounds(precision))

    def _held(self, inputs: Mapping[str, Any]) -> dict[str, Value]:
        arrays = read_inputs(self.inputs, self.function.inputs, inputs)
        return {name: hold(array) for name, array in arrays.items()}

    def _rounds(self, precision: Precision) -> bool:
        if precision not in ("declared", "float32"):
            raise UsageError(f"precision must be 'declared' or 'float32', not {precision!r}.")
        return precision == "declared"

    def _opened(self) -> Evaluator:
        if self._evaluator is None:
            from affnet.runtimes.mlprogram.execution import Evaluator

            self._evaluator = Evaluator(self.function)
        return self._evaluator

    def _finish(self, name: str, value: Value) -> Value:
        kind = self.function.type_of(name)
        if kind is None or kind.dtype == "string" or isinstance(value, (str, int, dict)):
            return value
        return value.astype(numpy_dtype(kind.dtype))


def read_program(package: Package, model: Any, function: str | None = None) -> Program:
    """Read the ML program of a ``Model`` message.

    Args:
        package: where its weights are.
        model: the message.
        function: which function of a model that has several; its default one if None.

    Raises:
        ArtifactError: it is damaged, incomplete, or not an ML program.
        UnsupportedOperatorError: it holds constants of a type that numpy lacks.
        UsageError: there is no such function.
    """
    path = package.root
    if model.WhichOneof("Type") != "mlProgram":
        raise ArtifactError(
            f"{path} is not an ML program but a model of the kind {model.WhichOneof('Type')}",
            "convert the network again with convert_to='mlprogram'.",
        )
    name, features = _features(model, function)
    graph = read_function(model.mlProgram.functions[name], Constants(package))
    _check_features(path, features, graph)
    return Program(
        path=path,
        specification_version=model.specificationVersion,
        metadata=read_metadata(model.description.metadata),
        inputs=tuple(read_input(item, graph.inputs[item.name]) for item in features.input),
        outputs=tuple(read_output(item, graph.type_of(item.name)) for item in features.output),
        function=graph,
    )


def unsupported_operators(program: Program) -> list[str]:
    """Return the names of the operators of ``program`` that `Program.predict` cannot evaluate."""
    from affnet.runtimes.mlprogram.operators import find_operator

    names = {node.operator for node in program.function.walk()} - {LOOP}
    return sorted(name for name in names if find_operator(name) is None)


def _check_features(path: Path, features: Any, graph: Function) -> None:
    described = {feature.name for feature in (*features.input, *features.state)}
    if differing := described ^ graph.inputs.keys():
        raise ArtifactError(
            f"{path} is damaged: its description and its program disagree on the input "
            f"{min(differing)!r}."
        )
    if unknown := {feature.name for feature in features.output} - {*graph.results}:
        raise ArtifactError(
            f"{path} is damaged: it describes an output that it does not compute, {min(unknown)!r}."
        )


def _features(model: Any, function: str | None) -> tuple[str, Any]:
    """Return the function's name and the message that describes its inputs and outputs."""
    description, names = model.description, list(model.mlProgram.functions)
    name = function or description.defaultFunctionName or "main"
    if name not in names:
        raise UsageError(f"The ML program has no function {name!r}; it has: {', '.join(names)}.")
    for candidate in description.functions:
        if candidate.name == name:
            return name, candidate
    return name, description
