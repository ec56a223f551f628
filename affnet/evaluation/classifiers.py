"""What can be evaluated as a classifier: an artifact in its runtime, or a source in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import MissingError, UsageError
from affnet.evaluation.predictors import Predict, network_predictor, session_predictor
from affnet.model.source import Source
from affnet.preprocessing import Preprocessing
from affnet.runtimes import Session, check_measurable, get_runtime, runtime_for


@dataclass(frozen=True)
class Loaded:
    """A file that is loaded: here, or on a device."""

    session: Session
    runtime: str  # with its version
    untimed: str | None  # why its time says nothing, a clause


@dataclass(frozen=True)
class Classifier:
    """A network that gives one row of logits per image."""

    name: str  # as the command line names it
    predict: Predict
    preprocessing: Preprocessing
    labels: tuple[str, ...] | None
    runtime: str  # with its version
    precision: str
    untimed: str | None  # why its time says nothing, a clause
    proven: bool = True  # whether affnet exported it; always true of a source

    @classmethod
    def of_artifact(
        cls, artifact: Artifact, threads: int, loaded: Loaded | None = None
    ) -> Classifier:
        """Load an artifact into the runtime of its format, unless it is ``loaded``.

        Raises:
            UsageError: it is no classifier of images.
            MissingError: the runtime is not installed.
            ArtifactError: the runtime rejects the file.
        """
        manifest, name = artifact.manifest, str(artifact.path)
        spec = manifest.inputs[0]
        _check_classifier(name, manifest.task, spec, manifest.outputs)
        found = loaded or load(artifact, threads)
        return cls(
            name=name,
            predict=session_predictor(found.session, spec),
            preprocessing=artifact.pixel_contract(),
            labels=manifest.labels,
            runtime=found.runtime,
            precision=manifest.precision,
            untimed=found.untimed,
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
            untimed=None,
        )


def load(artifact: Artifact, threads: int, runtime: str | None = None) -> Loaded:
    """Load an artifact into ``runtime``, by default that of its format.

    Raises:
        MissingError: the runtime is not installed.
        ArtifactError: the runtime rejects the file.
    """
    engine = get_runtime(runtime) if runtime else runtime_for(artifact.manifest.format)
    untimed = None
    try:
        check_measurable(engine)
    except MissingError:
        untimed = "an evaluator ran the file, not its runtime"
    session = engine.load(artifact.path, threads=threads)
    return Loaded(session, f"{engine.name} {engine.version()}", untimed)


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
