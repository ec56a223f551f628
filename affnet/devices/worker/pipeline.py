"""From the file of a picture to an answer, in one process: three stages, each timed.

A board runs this too, so that nothing is imported that it lacks; Pillow, which it needs for
pictures, is asked for first.
"""

from __future__ import annotations

import base64
import dataclasses
import gc
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import CENTERS, CONFIDENCE, COORDINATES, Artifact, TensorSpec
from affnet.detections import Detections, decode_anchors, decode_detections, read_rows, softmax
from affnet.errors import MissingError
from affnet.layouts import as_input, from_output
from affnet.preprocessing import Preprocessing
from affnet.runtimes import Session

#: In their order; a sample of the pipeline is their sum.
STAGES = ("preprocessing", "inference", "postprocessing")
_TOP = 5


def describe_pipeline(artifact: Artifact, picture: bytes) -> dict[str, Any]:
    """Return all that a process needs to know of a picture's way, as JSON.

    Raises:
        ArtifactError: the file takes no pictures.
    """
    manifest = artifact.manifest
    return {
        "picture": base64.b64encode(picture).decode(),
        "preprocessing": dataclasses.asdict(artifact.pixel_contract()),
        "input": dataclasses.asdict(manifest.inputs[0]),
        "outputs": [dataclasses.asdict(one) for one in manifest.outputs],
        "task": manifest.task,
        "probabilities": manifest.gives_probabilities,
    }


class Pipeline:
    """Decode, resize, normalize; run; softmax and the best, a mask, or boxes without doubles."""

    def __init__(self, session: Session, described: dict[str, Any]) -> None:
        _check_pillow()
        self._session = session
        self._picture = base64.b64decode(described["picture"])
        self._contract = Preprocessing(**_tuples(described["preprocessing"]))
        self._input = TensorSpec(**_tuples(described["input"]))
        self._outputs = [TensorSpec(**_tuples(one)) for one in described["outputs"]]
        answers: dict[str, Callable[..., Any]] = {
            "classification": self._best,
            "segmentation": self._mask,
            "detection": self._boxes,
        }
        self._answer = answers[described["task"]]
        self._probabilities = bool(described["probabilities"])

    def time_runs(self, iterations: int) -> list[list[int]]:
        """Return the ns of each stage of each run, by stage."""
        samples = np.zeros((len(STAGES), iterations), np.int64)
        clock = time.perf_counter_ns
        gc.disable()
        try:
            for index in range(iterations):
                begun = clock()
                size, feed = self._feed()
                fed = clock()
                given = self._session.run(feed)
                run = clock()
                self._answer(given, size)
                samples[:, index] = fed - begun, run - fed, clock() - run
        finally:
            gc.enable()
        return [[int(value) for value in row] for row in samples]

    def _feed(self) -> tuple[tuple[int, int], NDArray[Any]]:
        """Return the picture's size (width, height) and the input."""
        from PIL import Image

        with Image.open(io.BytesIO(self._picture)) as opened:
            image = self._contract.upright(opened)
        return image.size, as_input(self._contract(image)[None], self._input)

    def _named(self, given: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        pairs = zip(self._outputs, given, strict=True)
        return {one.name: from_output(array, one)[0] for one, array in pairs}

    def _best(self, given: list[NDArray[Any]], _: tuple[int, int]) -> Any:
        scores = np.asarray(from_output(given[0], self._outputs[0])[0], np.float32)
        probabilities = scores if self._probabilities else softmax(scores)
        order = np.argsort(-probabilities, kind="stable")[:_TOP]
        return [(int(index), float(probabilities[index])) for index in order]

    def _mask(self, given: list[NDArray[Any]], size: tuple[int, int]) -> Any:
        outputs = self._named(given)
        classes = outputs["scores"].argmax(axis=0) if "scores" in outputs else outputs["classes"]
        height, width = classes.shape
        rows = ((np.arange(size[1]) + 0.5) * height / size[1]).astype(np.int64)
        columns = ((np.arange(size[0]) + 0.5) * width / size[0]).astype(np.int64)
        return classes[rows[:, None], columns]

    def _boxes(self, given: list[NDArray[Any]], size: tuple[int, int]) -> Any:
        outputs = self._named(given)
        if CENTERS in outputs:
            found = decode_anchors(outputs[CENTERS], outputs["probabilities"])
        elif COORDINATES in outputs:
            found = read_rows(outputs[CONFIDENCE], outputs[COORDINATES])
        elif "classes" in outputs:
            real = outputs["scores"] > 0
            classes = outputs["classes"][real].astype(np.int64)
            found = Detections(outputs["boxes"][real], outputs["scores"][real], classes)
        else:
            found = decode_detections(outputs["scores"], outputs["boxes"])
        return np.clip(found.boxes, 0, 1) * np.array((*size, *size))


def _check_pillow() -> None:
    try:
        import PIL.Image
    except ImportError:
        raise MissingError(
            "The pipeline decodes pictures with Pillow, which is not installed where it runs",
            "run there: pip install pillow",
        ) from None
    PIL.Image.preinit()  # which the first picture would wait for


def _tuples(record: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(value) if isinstance(value, list) else value for k, value in record.items()}
