"""Heads inside files: class maps, and the suppression of boxes next to the decoder in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from affnet.artifact import Artifact, TensorSpec
from affnet.detections import decode_detections, softmax
from affnet.errors import UnknownNameError, UsageError
from affnet.export.passes.heads import Detector, with_head
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.verification.dense_parity import class_map_parity, detections_parity
from affnet.export.verification.open import open_subject
from affnet.model.dense.base import DenseNetwork
from affnet.runtimes import runtime_for
from tests.conftest import Finished
from tests.dense import CAT, HORSE, Colours, FixedBoxes, dense_source
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


SUPPRESSION = {"onnx": "NonMaxSuppression", "coreml": "non_maximum_suppression"}


@pytest.fixture(scope="module", params=["onnx", "coreml of iOS16", "coreml of iOS17"])
def suppressing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Artifact:
    """Export `FromPixels` with the suppression inside; iOS 17 has another form of its operator."""
    format_, _, system = request.param.partition(" of ")
    options = ExportOptions(
        format_, precision="fp32", head="nms", deployment_target=system or None, verify=False
    )
    return export_artifact(dense_source(FromPixels()), options, tmp_path_factory.mktemp("nms"))


@pytest.mark.parametrize("kinds", [None, 4, 1], ids=["random", "tied", "all tied"])
def test_suppression_in_the_file_finds_what_the_decoder_finds(
    kinds: int | None, suppressing: Artifact
) -> None:
    model, format_ = FromPixels(), suppressing.manifest.format
    session = runtime_for(format_).load(suppressing.path, threads=1)
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
    assert not found_classes[count:].any()
    assert SUPPRESSION[format_] in runtime_for(format_).operators(suppressing.path)


@pytest.mark.parametrize("format_", SUPPRESSION)
def test_a_file_with_suppression_is_verified_and_says_so(
    format_: str, run: Callable[..., Finished], tmp_path: Path
) -> None:
    options = ExportOptions(format_, head="nms")  # Core ML's is float16
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
    with pytest.raises(UsageError, match=r"is a network for segmentation and affnet_et one for cl"):
        open_subject(artifact.path, "affnet_et", None)


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
    with pytest.raises(
        UnknownNameError,
        match="Unknown head 'top'; valid: logits, softmax, classifier, argmax, anchors, nms, "
        "detector",
    ):
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


@pytest.fixture
def fixed() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the outputs of `FixedBoxes`, raw and decoded: a car, a horse."""
    network, image = FixedBoxes(), torch.zeros(1, 3, 64, 64)
    with torch.inference_mode():
        return [o.numpy() for o in network(image)], [o.numpy() for o in Detector(network)(image)]


def agreement(raw: list[np.ndarray], *found: np.ndarray, precision: str = "fp32") -> float:
    return detections_parity(*raw, found, precision).top1_agreement


def test_detections_are_right_if_an_anchor_has_them(fixed) -> None:
    raw, (boxes, scores, classes) = fixed
    assert agreement(raw, boxes, scores, classes) == 1
    assert agreement(raw, boxes + np.float32(0.01), scores, classes) == 0
    assert agreement(raw, boxes + np.float32(0.01), scores, classes, precision="fp16") == 1
    assert agreement(raw, boxes, scores, classes + (scores > 0)) == 0
    assert agreement(raw, boxes[:, :9], scores, classes) == 0  # of fewer than 200


def test_detections_are_right_in_their_order_if_none_is_missing_or_overlapped(fixed) -> None:
    raw, (boxes, scores, classes) = fixed
    fewer = np.where(scores == scores.max(), scores, 0)
    assert agreement(raw, boxes, fewer, classes) == pytest.approx(2 / 3)
    turned = [a[:, [1, 0, *range(2, 200)]] for a in (boxes, scores, classes)]
    assert agreement(raw, *turned) == pytest.approx(2 / 4)  # the car after the horse, told twice
    boxes[0, 2], scores[0, 2], classes[0, 2] = raw[1][0, 1], softmax(raw[0][0, 1])[HORSE], HORSE
    assert agreement(raw, boxes, scores, classes) == pytest.approx(4 / 5)  # a better horse is there


def test_a_detection_may_be_left_out_for_one_that_is_nearly_as_good(fixed) -> None:
    raw, (boxes, scores, classes) = fixed
    raw[0][0, 1] = raw[0][0, 0] + np.float32(1e-3) * (np.arange(81) == HORSE)  # hardly better
    assert agreement(raw, boxes, scores, classes) == 1
