"""A detector as Vision takes it: a pipeline of an ML program and a NonMaximumSuppression model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affnet.errors import ArtifactError
from affnet.runtimes.mlprogram.constants import Value
from affnet.runtimes.mlprogram.description import (
    Feature,
    Metadata,
    deployment_target,
    read_metadata,
)
from affnet.runtimes.mlprogram.graph import Function
from affnet.runtimes.mlprogram.package import Package, open_package
from affnet.runtimes.mlprogram.program import Precision, Program, read_program
from affnet.runtimes.mlprogram.protobuf import read_model
from affnet.runtimes.mlprogram.suppression import Suppression, read_suppression

_STAGES = ["mlProgram", "nonMaximumSuppression"]


@dataclass
class DetectionPipeline:
    """An ML program whose boxes Core ML's suppression thins out; `load_program` reads one."""

    path: Path
    specification_version: int
    metadata: Metadata
    program: Program
    suppression: Suppression
    #: Of the kind ``rows``: at most so many rows as the shape says.
    outputs: tuple[Feature, ...]

    @property
    def inputs(self) -> tuple[Feature, ...]:
        """What it needs; ``suppression.settings`` names the numbers that it takes besides."""
        return self.program.inputs

    @property
    def deployment_target(self) -> str:
        """The first system that runs the model, such as ``iOS16``."""
        return deployment_target(self.specification_version)

    @property
    def class_labels(self) -> list[str | int] | None:
        """The names of the classes in the order of the confidences, None where there are none."""
        return [*self.suppression.labels] or None

    @property
    def function(self) -> Function:
        """The operators of the ML program."""
        return self.program.function

    def operator_counts(self) -> dict[str, int]:
        """Return how often each operator occurs, the suppression as the last one."""
        return self.program.operator_counts() | {"NonMaximumSuppression": 1}

    def predict(
        self, inputs: Mapping[str, Any], *, precision: Precision = "declared"
    ) -> dict[str, Value]:
        """Evaluate the ML program and the suppression.

        Args:
            inputs: those of the program, see `Program.predict`, and numbers for thresholds.
            precision: of the program.

        Returns:
            An array for each output, with as many rows as are kept, and what `before_suppression`
            names.

        Raises:
            AffnetError: as `Program.predict`; a threshold is out of its range.
        """
        settings = self.suppression.settings
        taken = {name: value for name, value in inputs.items() if name not in settings}
        given = self.program.predict(taken, precision=precision)
        confidence, coordinates = (given[name] for name in self.before_suppression)
        return given | self.suppression.apply(confidence, coordinates, inputs)

    @property
    def before_suppression(self) -> tuple[str, str]:
        """The names of the confidences and coordinates that the ML program gives."""
        return self.suppression.confidence_input, self.suppression.coordinates_input


def load_program(path: Path | str, *, function: str | None = None) -> Program | DetectionPipeline:
    """Read the ML program, or the detector's pipeline, in the ``.mlpackage`` at ``path``.

    Args:
        path: the folder.
        function: which function of a program that has several; its default one if None.

    Raises:
        ArtifactError: the package is missing, damaged, incomplete, or holds another kind of model.
        UnsupportedOperatorError: it holds constants of a type that numpy lacks.
        UsageError: there is no such function.
        MissingError: coremltools, which brings the format's message classes, is not installed.
    """
    package = open_package(Path(path))
    model = read_model(package.model_file)
    if model.WhichOneof("Type") != "pipeline":
        return read_program(package, model, function)
    return _read_pipeline(package, model)


def _read_pipeline(package: Package, model: Any) -> DetectionPipeline:
    path, stages = package.root, model.pipeline.models
    kinds = [stage.WhichOneof("Type") for stage in stages]
    if kinds != _STAGES:
        raise ArtifactError(
            f"{path} is a pipeline of {', '.join(map(str, kinds)) or 'nothing'}; only one of an "
            "ML program and a nonMaximumSuppression, as detectors have it, can be read here."
        )
    program = read_program(package, stages[0])
    suppression = read_suppression(stages[1])
    given = {output.name: output for output in program.outputs}
    shapes = []
    for name in (suppression.confidence_input, suppression.coordinates_input):
        if name not in given:
            raise ArtifactError(
                f"{path} is damaged: its suppression reads {name!r}, which its ML program does not "
                "give."
            )
        shapes.append(given[name].shape)
    names = suppression.confidence_output, suppression.coordinates_output
    described = {one.name: one for one in model.description.output}
    if described.keys() != {*names}:
        raise ArtifactError(f"{path} is damaged: it describes other outputs than it has.")
    if any(len(shape) != 2 or None in shape for shape in shapes):
        raise ArtifactError(f"{path} leaves the shapes of its boxes open, which are N x classes.")
    most = shapes[0][0] if suppression.most is None else suppression.most
    outputs = (
        Feature(
            name, "rows", (most, shape[1]), "float32", description=described[name].shortDescription
        )
        for name, shape in zip(names, shapes, strict=True)
    )
    return DetectionPipeline(
        path=path,
        specification_version=model.specificationVersion,
        metadata=read_metadata(model.description.metadata),
        program=program,
        suppression=suppression,
        outputs=tuple(outputs),
    )
