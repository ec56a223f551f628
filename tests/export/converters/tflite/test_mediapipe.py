"""What MediaPipe Tasks itself makes of the default files, next to what ``affnet run`` says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from affnet.evaluation.pictures import look_at
from affnet.export.pipeline import ExportOptions, export_artifact
from tests.dense import BOXES, CAT, SIZE, Colours, FixedBoxes, dense_source
from tests.tiny import tiny_source

pytestmark = pytest.mark.converters
mediapipe = pytest.importorskip("mediapipe", reason="not installed: pip install mediapipe")
LABELS = ("a cat", 'a "dog" <b>', "größer", "d", "e")


def options_of(task: str, path: Path, **settings: Any) -> tuple[Any, Any]:
    """Return a class of MediaPipe and the options that open a file with it."""
    from mediapipe.tasks import python
    from mediapipe.tasks.python import vision

    base = python.BaseOptions(model_asset_path=str(path))
    options = getattr(vision, f"{task}Options")(base_options=base, **settings)
    return getattr(vision, task), options


def as_image(pixels: np.ndarray) -> Any:
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)


def test_the_image_classifier_gives_the_scores_of_affnet_run(tmp_path: Path) -> None:
    source = dataclasses.replace(tiny_source(), labels=LABELS)
    artifact = export_artifact(source, ExportOptions("tflite"), tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (36, 36, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    (seen,) = look_at(artifact, [tmp_path / "picture.png"], 0.0)
    kind, options = options_of("ImageClassifier", artifact.path)
    with kind.create_from_options(options) as classifier:
        found = classifier.classify(as_image(np.ascontiguousarray(picture[2:34, 2:34])))
    (classified,) = found.classifications
    scores = {one.category_name: one.score for one in classified.categories}
    assert scores == pytest.approx({c["label"]: c["score"] for c in seen.classes}, abs=1e-3)
    assert set(scores) == set(LABELS)


def test_the_image_segmenter_gives_classes_and_confidences(tmp_path: Path) -> None:
    artifact = export_artifact(dense_source(Colours()), ExportOptions("tflite"), tmp_path)
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, :, 0] = 255
    kind, options = options_of("ImageSegmenter", artifact.path, output_category_mask=True)
    with kind.create_from_options(options) as segmenter:
        found = segmenter.segment(as_image(picture))
        assert segmenter.labels == list(artifact.manifest.labels or ())
    mask = found.category_mask.numpy_view()
    assert (np.unique(mask[:32]).tolist(), np.unique(mask[32:]).tolist()) == ([CAT], [0])
    total = sum(one.numpy_view() for one in found.confidence_masks)
    np.testing.assert_allclose(total, 1, atol=1e-3)


def test_the_object_detector_finds_what_affnet_run_finds(tmp_path: Path) -> None:
    artifact = export_artifact(dense_source(FixedBoxes()), ExportOptions("tflite"), tmp_path)
    Image.new("RGB", (SIZE, SIZE), "gray").save(tmp_path / "gray.png")
    (seen,) = look_at(artifact, [tmp_path / "gray.png"], 0.3)
    kind, options = options_of("ObjectDetector", artifact.path, score_threshold=0.3)
    with kind.create_from_options(options) as detector:
        found = detector.detect(as_image(np.full((SIZE, SIZE, 3), 128, np.uint8))).detections
    assert len(found) == len(seen.objects) == len(BOXES) - 1  # one overlaps a better one
    for theirs, ours in zip(found, seen.objects, strict=True):
        (category,) = theirs.categories
        assert (category.category_name, category.score) == (
            ours["label"],
            pytest.approx(ours["score"], abs=1e-3),
        )
        box = theirs.bounding_box
        corners = (box.origin_x, box.origin_y, box.origin_x + box.width, box.origin_y + box.height)
        assert corners == pytest.approx(ours["box"], abs=2)  # of whole pixels
