"""What can be evaluated as a classifier: an artifact in its runtime, or a source in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import MissingError, UsageError
from affnet.evaluation.predictors import Predict, network_predictor, session_predictor
from affnet.model.source import Source
from affnet.preprocessing import Preprocessing
from affnet.runtimes import check_measurable, get_runtime, runtime_for


@dataclass(frozen=True)
class Classifier:
    """A network that gives one row of logits per image."""

    name: str  # as the command line names it
    predict: Predict
    preprocessing: Preprocessing
    labels: tuple[str, ...] | None
    runtime: str  # with its version
    precision: str
    timed: bool  # whether its time says something: that of an evaluator does not
    proven: bool = True  # whether affnet exported it; always true of a source

    @classmethod
    def of_artifact(cls, artifact: Artifact, threads: int) -> Classifier:
        """Load an artifact into the runtime of its format.

        Raises:
            UsageError: it is no classifier of images.
            MissingError: the runtime is not installed.
            ArtifactError: the runtime rejects the file.
        """
        manifest, name = artifact.manifest, str(artifact.path)
        spec = manifest.inputs[0]
        _check_classifier(name, manifest.task, spec, manifest.outputs)
        runtime = runtime_for(manifest.format)
        try:
            check_measurable(runtime)
            timed = True
        except MissingError:
            timed = False
        return cls(
            name=name,
            predict=session_predictor(runtime.load(artifact.path, threads=threads), spec),
            preprocessing=artifact.pixel_contract(),
            labels=manifest.labels,
            runtime=f"{runtime.name} {runtime.version()}",
            precision=manifest.precision,
            timed=timed,
            proven=artifact.proven,
        )

    @classmethod
    def of_source(cls, source: Source, preprocessing: Preprocessing | None = None) -> Classifier:
        """Run a source in PyTorch, on pictures as it wants them unless told otherwise.

        Raises:
            UsageError: it is no classifier of images.
        """
        _check_classifier(source.name, source.task, source.input, source.outputs)
        usual = source.preprocessing_for(source.input)
        assert usual is not None  # it takes images
        return cls(
            name=source.name,
            predict=network_predictor(source.model),
            preprocessing=preprocessing or usual,
            labels=source.labels,
            runtime=f"torch {get_runtime('torch').version()}",
            precision="fp32",
            timed=True,
        )


def _check_classifier(
    name: str, task: str, taken: TensorSpec, given: tuple[TensorSpec, ...]
) -> None:
    if task == "other":
        raise UsageError(f"{name} does not map images to scores of classes, as far as is known.")
    if task != "classification":
        raise UsageError(
            f"{name} is a network for {task}",
            "give --data a folder of images/ with masks/ (segmentation) or annotations.json "
            "(detection).",
        )
    if not taken.is_image or len(given) != 1 or len(given[0].shape) != 2:
        raise UsageError(f"{name} does not map images to logits; affnet eval needs a classifier.")
