"""Heads inside files: class maps, and the suppression of boxes next to the decoder in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from affnet.artifact import TensorSpec
from affnet.errors import UnknownNameError, UsageError
from affnet.evaluation.detections import decode_detections
from affnet.export.head_parity import class_map_parity, detections_parity
from affnet.export.heads import Detector, with_head
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.dense.base import DenseNetwork
from affnet.runtimes import runtime_for
from tests.conftest import Finished
from tests.dense import CAT, Colours, FixedBoxes, dense_source
from tests.tiny import tiny_source

CLASSES, ANCHORS = 6, 700  # more anchors than candidates of a class


class FromPixels(DenseNetwork):
    """Takes scores and boxes out of the image's values, so that a test chooses them."""

    task = "detection"
    DEFAULT_SIZE = (64, 64)
    num_classes = CLASSES

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        values = x.flatten(1)[:, : ANCHORS * (CLASSES + 4)].reshape(1, ANCHORS, CLASSES + 4)
        corner, size = values[..., :2], values[..., 2:4]
        return values[..., 4:] * 8, torch.cat((corner, corner + size), dim=-1)

    def output_specs(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        return (
            TensorSpec("scores", (1, ANCHORS, CLASSES), "float32", class_axis=2),
            TensorSpec("boxes", (1, ANCHORS, 4), "float32"),
        )


def values(kinds: int | None) -> np.ndarray:
    """Draw corner, size and scores of each anchor; the scores are of so many kinds, all if None.

    Scores of one kind are equal to the last bit, also after a softmax in another library.
    """
    generator = np.random.default_rng(0)
    drawn = generator.random((ANCHORS, CLASSES + 4), dtype=np.float32)
    if kinds is not None:
        drawn[:, :4] = np.round(drawn[:, :4] * 8) / 8  # overlaps are equal too
        rows = generator.random((kinds, CLASSES), dtype=np.float32)
        rows[0] = (0, *[0.5] * (CLASSES - 1))  # all classes alike
        drawn[:, 4:] = rows[generator.integers(kinds, size=ANCHORS)]
    return drawn


@pytest.mark.parametrize("kinds", [None, 4, 1], ids=["random", "tied", "all tied"])
def test_suppression_in_the_file_finds_what_the_decoder_finds(
    kinds: int | None, tmp_path: Path
) -> None:
    model = FromPixels()
    options = ExportOptions("onnx", head="nms", verify=False)
    artifact = export_artifact(dense_source(model), options, tmp_path)
    session = runtime_for("onnx").load(artifact.path, threads=1)
    image = np.zeros((1, 3, 64, 64), np.float32)
    image.reshape(-1)[: ANCHORS * (CLASSES + 4)] = values(kinds).reshape(-1)
    with torch.inference_mode():
        scores, boxes = (output[0].numpy() for output in model(torch.from_numpy(image)))
    expected = decode_detections(scores, boxes)
    found_boxes, found_scores, found_classes = (output[0] for output in session.run(image))
    count = len(expected)
    assert (found_scores > 0).sum() == count > 20
    assert found_classes[:count].tolist() == expected.classes.tolist()
    np.testing.assert_allclose(found_scores[:count], expected.scores, rtol=1e-5)
    np.testing.assert_array_equal(found_boxes[:count], expected.boxes)
    assert not found_boxes[count:].any()
    assert "NonMaxSuppression" in runtime_for("onnx").operators(artifact.path)


def test_a_file_with_suppression_is_verified_and_says_so(
    run: Callable[..., Finished], tmp_path: Path
) -> None:
    options = ExportOptions("onnx", head="nms")
    artifact = export_artifact(dense_source(FixedBoxes()), options, tmp_path)
    manifest = artifact.manifest
    assert manifest.parity is not None
    assert (manifest.parity.passed, manifest.parity.top1_agreement) == (True, 1.0)
    assert manifest.details["head"] == "nms"
    assert [output.name for output in manifest.outputs] == ["boxes", "scores", "classes"]
    Image.new("RGB", (100, 50)).save(tmp_path / "image.png")
    done = run("run", artifact.path, tmp_path / "image.png", "-o", tmp_path, "--json")
    assert [found["label"] for found in done.json["results"][0]["objects"]] == ["car", "horse"]


@pytest.mark.parametrize("format_", ["onnx", "torch"])
def test_a_class_map_holds_the_best_class_of_each_pixel(format_: str, tmp_path: Path) -> None:
    options = ExportOptions(format_, head="argmax")
    artifact = export_artifact(dense_source(Colours()), options, tmp_path)
    assert artifact.manifest.outputs == (TensorSpec("classes", (1, 64, 64), "int32"),)
    image = np.zeros((1, 3, 64, 64), np.float32)
    image[0, 0, :32] = 1
    (classes,) = runtime_for(format_).load(artifact.path, threads=1).run(image)
    assert classes.dtype == np.int32
    assert np.unique(classes[0, :32]).tolist() == [CAT]
    assert not classes[0, 32:].any()


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        ("argmax", "--head argmax is for segmentation networks; tiny is one for classification."),
        ("nms", "--head nms is for detection networks; tiny is one for classification."),
    ],
)
def test_a_head_for_another_task_is_refused(head: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        with_head(tiny_source(), head)
    assert str(error.value) == sentence


def test_unknown_heads_and_formats_without_one_are_refused(tmp_path: Path) -> None:
    source = dense_source(FixedBoxes())
    with pytest.raises(UnknownNameError, match="Unknown head 'top'; valid: argmax, nms"):
        export_artifact(source, ExportOptions("torch", head="top"), tmp_path)
    with pytest.raises(UsageError, match="torch files hold no --head nms here"):
        export_artifact(source, ExportOptions("torch", head="nms"), tmp_path)
    assert not [*tmp_path.iterdir()]


def test_parity_of_classes_and_detections_is_the_share_of_equal_ones() -> None:
    classes = np.zeros((1, 10, 100), np.int32)
    other = classes.copy()
    other[0, 0, :2] = 1
    assert class_map_parity(classes, other, "fp32").max_rel_error == pytest.approx(0.002)
    assert not class_map_parity(classes, other, "fp32").passed
    assert class_map_parity(classes, other, "fp16").passed
    with torch.inference_mode():
        found = [o.numpy() for o in Detector(FixedBoxes())(torch.zeros(1, 3, 64, 64))]
    assert detections_parity(found, found, "fp32").passed
    moved = [found[0] + 0.01, *found[1:]]
    assert detections_parity(found, moved, "fp32").top1_agreement == 0
    fewer = [found[0], np.where(found[1] > 0.9997, found[1], 0), found[2]]
    assert detections_parity(found, fewer, "fp32").top1_agreement == pytest.approx(2 / 3)
