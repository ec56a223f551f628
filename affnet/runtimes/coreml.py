"""Core ML on a Mac; elsewhere the evaluator of ML programs, which proves files but times none."""

from __future__ import annotations

import importlib
import logging
import platform
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partialmethod
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.errors import ArtifactError, UntimedError, first_line, require
from affnet.runtimes import Interface
from affnet.runtimes.mlprogram import DetectionPipeline, Feature, Program, load_program

# What coremltools imports if it finds it, for conversions that are not ours: most of its start.
_NOT_NEEDED = (
    "executorch",
    "libsvm",
    "sklearn",
    "tensorflow",
    "torchao",
    "torchaudio",
    "torchvision",
    "transformers",
    "xgboost",
)


class CoreMLRuntime:
    """Runs ``.mlpackage`` folders: ML programs, and detectors' pipelines."""

    name = "coreml"
    format = "coreml"
    suffix = ".mlpackage"
    distribution = "coremltools"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`; it also says whether Core ML itself runs the model."""
        require("coremltools", extra="coreml", purpose="Running Core ML models")
        engine = f"Core ML of macOS {platform.mac_ver()[0]}" if _on_mac() else "evaluator"
        return f"coremltools {metadata.version(cls.distribution)} ({engine})"

    @classmethod
    def check_measurable(cls) -> None:
        """See `affnet.runtimes.check_measurable`."""
        if not _on_mac():
            raise UntimedError(
                "Core ML is timed on a Mac only: here its programs run in an evaluator, whose time "
                "says nothing about a device",
                "measure on a Mac, or choose another runtime.",
            )

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        threads: int,  # neither lets its caller choose
    ) -> CoreMLSession | EvaluatorSession:
        """See `Runtime.load`."""
        require("coremltools", extra="coreml", purpose="Running Core ML models")
        return CoreMLSession(path) if _on_mac() else EvaluatorSession(path)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`; a classifier gives its probabilities as an array.

        A detector's pipeline gives as many rows as it may keep, those that it lacks of zeros.
        """
        require("coremltools", extra="coreml", purpose="Running Core ML models")
        program = load_program(path)
        types = {
            value.type.dtype
            for node in program.function.walk()
            for value in node.outputs
            if value.type
        }
        labels = program.class_labels or ()
        return Interface(
            tuple(map(_spec, program.inputs)),
            tuple(
                TensorSpec(output.name, (1, len(labels)), "float32")
                if output.kind == "probabilities"
                else _spec(output)
                for output in program.outputs
                if output.kind != "label"
            ),
            "fp16" if "float16" in types else "fp32",
        )

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`."""
        return load_program(path).operator_counts()


class EvaluatorSession:
    """A model in the evaluator, with float16 rounded wherever the program declares it."""

    def __init__(self, path: Path) -> None:
        self._model = load_program(path)

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`."""
        return _outputs(self._model, self._model.predict(as_feed(self._model, inputs)))


class StagesSession:
    """A detector's pipeline that gives what its ML program gives before its own outputs.

    The ML program by itself is computed by the evaluator everywhere.
    """

    def __init__(self, path: Path) -> None:
        model = load_program(path)
        if not isinstance(model, DetectionPipeline):
            raise ArtifactError(f"{path} is no pipeline that ends in a suppression of boxes.")
        self._pipeline = model
        self._whole = CoreMLSession(path) if _on_mac() else None

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`; all outputs have a batch axis."""
        found = self._pipeline.predict(as_feed(self._pipeline, inputs))
        before = [found[name][None] for name in self._pipeline.before_suppression]
        own = _outputs(self._pipeline, found) if self._whole is None else self._whole.run(*inputs)
        return [*before, *own]


class CoreMLSession:
    """A model in Core ML, on whichever of the Mac's processors it chooses."""

    def __init__(self, path: Path) -> None:
        self._described = load_program(path)  # its messages say what is wrong with a file
        with quiet_coremltools() as coremltools:
            try:
                self._model = coremltools.models.MLModel(str(path))
            except Exception as error:  # Core ML's reasons come as RuntimeError and others
                reason = first_line(error)
                raise ArtifactError(f"Core ML rejects {path}: {reason}") from error

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`."""
        feed = {
            taken.name: as_picture(array) if taken.kind == "image" else array
            for taken, array in zip(self._described.inputs, inputs, strict=True)
        }
        return _outputs(self._described, self._model.predict(feed))


@contextmanager
def quiet_coremltools(*, without: Sequence[str] = ()) -> Iterator[Any]:
    """Yield the module coremltools, which prints nothing while the context lasts.

    Silenced are its logger (untested versions, absent Core ML), warnings, and tqdm's bars.  Its
    first import does without the packages that only its other conversions need; ours stay as they
    were, because each name is freed again.  ``without`` names more packages that its first import
    may do without, and that it will not know in this process.
    """
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings(), _without_progress_bars():
            warnings.simplefilter("ignore")
            yield _import_coremltools(without)
    finally:
        logger.setLevel(level)


def _import_coremltools(without: Sequence[str]) -> Any:
    hidden = []
    if "coremltools" not in sys.modules:
        hidden = [name for name in (*_NOT_NEEDED, *without) if name not in sys.modules]
    try:
        for name in hidden:
            sys.modules[name] = None  # type: ignore[assignment]  # what makes an import fail
        return importlib.import_module("coremltools")
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    if util.find_spec("tqdm") is None:
        yield
        return
    bar = importlib.import_module("tqdm").tqdm
    start = bar.__init__
    bar.__init__ = partialmethod(start, disable=True)  # coremltools gives no other way
    try:
        yield
    finally:
        bar.__init__ = start


def as_feed(
    model: Program | DetectionPipeline, inputs: Sequence[NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return what a session is given as the evaluator takes it: an image without a batch axis."""
    return {
        taken.name: array[0] if taken.kind == "image" else array
        for taken, array in zip(model.inputs, inputs, strict=True)
    }


def output_arrays(
    outputs: Sequence[Feature], labels: list[str | int] | None, found: Mapping[str, Any]
) -> list[NDArray[Any]]:
    """Return what Core ML gives as arrays, probabilities by class in the order of ``labels``.

    A classifier's label is none of them: it says what its probabilities say.
    """
    return [
        _array(output, found[output.name], labels) for output in outputs if output.kind != "label"
    ]


def _outputs(model: Program | DetectionPipeline, found: Mapping[str, Any]) -> list[NDArray[Any]]:
    return output_arrays(model.outputs, model.class_labels, found)


def _array(output: Feature, value: Any, labels: list[str | int] | None) -> NDArray[Any]:
    if isinstance(value, Mapping) and labels is not None:
        return np.array([[value[label] for label in labels]], np.float32)
    array = np.asarray(value)
    if output.kind != "rows":
        return array
    most = output.shape[0] or 0
    return np.pad(np.asarray(array, np.float32), ((0, most - len(array)), (0, 0)))[None]


def as_picture(array: NDArray[Any]) -> Any:
    """Return 1 x H x W x 3 bytes as what coremltools takes for an image."""
    from PIL import Image

    return Image.fromarray(array[0])


def _spec(feature: Feature) -> TensorSpec:
    shape = tuple(f"axis {i}" if size is None else size for i, size in enumerate(feature.shape))
    if feature.kind == "image":
        batch, channels, height, width = shape
        return TensorSpec(
            feature.name, (batch, height, width, channels), "uint8", "NHWC", (0.0, 255.0)
        )
    if feature.kind == "rows":
        shape = (1, *shape)
    return TensorSpec(feature.name, shape, feature.dtype or feature.kind)


def _on_mac() -> bool:
    return platform.system() == "Darwin"
