"""A segmentation or detection network on whole pictures: an artifact in its runtime, or PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from affnet.artifact import (
    CENTERS,
    CONFIDENCE,
    COORDINATES,
    PROBABILITIES,
    Artifact,
    TensorSpec,
)
from affnet.detections import Detections, decode_anchors, decode_detections, read_rows
from affnet.layouts import as_input, from_output
from affnet.model.source import Source
from affnet.preprocessing import Preprocessing
from affnet.runtimes import get_runtime, runtime_for

Outputs = dict[str, NDArray[Any]]  # by name, each of one picture


@dataclass(frozen=True)
class DenseSubject:
    """A network whose results belong to places in a picture."""

    name: str
    task: str
    labels: tuple[str, ...] | None
    num_classes: int | None  # None where a file that gives classes does not say
    runtime: str  # with its version
    precision: str
    preprocessing: Preprocessing
    _run: Callable[[NDArray[np.float32]], Outputs]

    @classmethod
    def of_artifact(
        cls, artifact: Artifact, threads: int = 1, runtime: str | None = None
    ) -> DenseSubject:
        """Load an artifact into ``runtime``, by default that of its format.

        Raises:
            AffnetError: as `affnet.runtimes.Runtime.load`.
        """
        manifest = artifact.manifest
        engine = get_runtime(runtime) if runtime else runtime_for(manifest.format)
        spec = manifest.inputs[0]
        session = engine.load(artifact.path, threads=threads)

        def run(image: NDArray[np.float32]) -> Outputs:
            pairs = zip(manifest.outputs, session.run(as_input(image, spec)), strict=True)
            return {one.name: from_output(array, one)[0] for one, array in pairs}

        return cls(
            name=str(artifact.path),
            task=manifest.task,
            labels=manifest.labels,
            num_classes=_class_count(manifest.outputs, manifest.labels),
            runtime=f"{engine.name} {engine.version()}",
            precision=manifest.precision,
            preprocessing=artifact.pixel_contract(),
            _run=run,
        )

    @classmethod
    def of_source(cls, source: Source) -> DenseSubject:
        """Run a source in PyTorch, at its own image size."""
        names = [output.name for output in source.outputs]
        preprocessing = source.preprocessing_for(source.input)
        assert preprocessing is not None  # it takes images

        def run(image: NDArray[np.float32]) -> Outputs:
            with torch.inference_mode():
                given = source.model(torch.from_numpy(image))
            outputs = given if isinstance(given, tuple) else (given,)
            return dict(zip(names, (output[0].numpy() for output in outputs), strict=True))

        return cls(
            name=source.name,
            task=source.task,
            labels=source.labels,
            num_classes=_class_count(source.outputs, source.labels),
            runtime=f"torch {get_runtime('torch').version()}",
            precision="fp32",
            preprocessing=preprocessing,
            _run=run,
        )

    def class_map(self, image: Image.Image) -> NDArray[np.int64]:
        """Return the class of each pixel at the network's size, H x W, of an RGB picture."""
        outputs = self._outputs(image)
        classes = outputs["scores"].argmax(axis=0) if "scores" in outputs else outputs["classes"]
        return np.asarray(classes, np.int64)

    def objects(self, image: Image.Image) -> Detections:
        """Return what is found in an RGB picture, whether or not the file suppresses boxes."""
        outputs = self._outputs(image)
        if CENTERS in outputs:
            return decode_anchors(outputs[CENTERS], outputs[PROBABILITIES])
        if COORDINATES in outputs:
            return read_rows(outputs[CONFIDENCE], outputs[COORDINATES])
        scores = outputs["scores"]
        if "classes" not in outputs:
            return decode_detections(scores, outputs["boxes"])
        real = scores > 0  # the others fill the file's fixed number
        classes = outputs["classes"][real].astype(np.int64)
        return Detections(outputs["boxes"][real], scores[real], classes)

    def _outputs(self, image: Image.Image) -> Outputs:
        """Return the outputs for a whole picture, brought to the network's size."""
        return self._run(self.preprocessing(image)[None])


def _class_count(outputs: tuple[TensorSpec, ...], labels: tuple[str, ...] | None) -> int | None:
    for output in outputs:
        if output.class_axis is not None:
            return output.static_shape()[output.class_axis]
    return len(labels) if labels else None
