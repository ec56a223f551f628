"""What affnet's own code says of what a network gave, as packages for phones say it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affnet.artifact import CENTERS, COORDINATES, Artifact
from affnet.detections import Suppression, decode_anchors, decode_detections, read_rows, softmax
from affnet.layouts import from_output
from affnet.runtimes import runtime_for
from affnet.templates.contract import Contract

CLASSES = {"classification": "Classifier", "segmentation": "Segmenter", "detection": "Detector"}


def given(artifact: Artifact, image: Image.Image) -> list[NDArray[Any]]:
    """Return what a network gives."""
    session = runtime_for("onnx").load(artifact.path, threads=1)
    return session.run(artifact.pixel_contract()(image)[None])


def expected(contract: Contract, image: Image.Image, outputs: Sequence[NDArray[Any]]) -> Any:
    """Return what affnet's own code says of what a network gave."""
    if contract.task == "classification":
        scores = softmax(outputs[0][0])
        return [[int(at), float(scores[at])] for at in np.argsort(-scores, kind="stable")[:3]]
    image = contract.artifact.pixel_contract().upright(image)
    if contract.task == "segmentation":
        scores = from_output(outputs[0], contract.outputs[0])
        small = scores[0].argmax(axis=0).astype(np.int32)
        classes, counts = np.unique(small, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        mask = np.asarray(Image.fromarray(small).resize(image.size, Image.Resampling.NEAREST))
        shares = [[int(classes[at]), float(counts[at] / small.size)] for at in order]
        return [*image.size, zlib.crc32(mask.astype(">i4").tobytes()), shares]
    if len(outputs) == 3:
        boxes, scores, classes = (output[0] for output in outputs)
    else:
        names = {one.name for one in contract.outputs}
        if COORDINATES in names:
            found = read_rows(outputs[0][0], outputs[1][0])
        elif CENTERS in names:
            found = decode_anchors(outputs[0][0], outputs[1][0], Suppression())
        else:
            found = decode_detections(outputs[0][0], outputs[1][0], Suppression())
        boxes, scores, classes = found.boxes, found.scores, found.classes
    sides = np.array((*image.size, *image.size))
    return [
        [int(classes[at]), float(scores[at]), *np.clip(boxes[at], 0, 1) * sides]
        for at in np.flatnonzero(scores >= 0.05)
    ]


def agree(found: Any, wanted: Any, rtol: float = 1e-5) -> bool:
    """Return whether answers are equal but for the last digits of float32, or by ``rtol``."""
    flat = (np.ravel([item for row in rows for item in np.ravel(row)]) for rows in (found, wanted))
    a, b = (np.asarray(one, np.float64) for one in flat)
    return a.shape == b.shape and np.allclose(a, b, rtol=rtol, atol=rtol / 10)
