"""Detectors as Vision takes them: a Core ML pipeline, next to PyTorch and to the decoder."""

from __future__ import annotations

import dataclasses
import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from affnet.artifact import Artifact, TensorSpec
from affnet.detections import decode_best_classes, overlaps, read_rows
from affnet.errors import AffnetError, ArtifactError, LabelsError, UsageError
from affnet.export.passes.heads import VisionBoxes, with_head
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.verification.compare import verify_against
from affnet.export.verification.dense_parity import rows_parity
from affnet.export.verification.inputs import usual_inputs
from affnet.export.verification.subject import Subject
from affnet.package import ios
from affnet.package.build import build
from affnet.package.golden import RECORD
from affnet.runtimes import runtime_for
from affnet.runtimes.coreml import StagesSession, quiet_coremltools
from affnet.runtimes.mlprogram import load_program
from affnet.runtimes.mlprogram.protobuf import read_model
from tests.conftest import Finished
from tests.dense import CAR, HORSE, FixedBoxes, dense_source
from tests.export.passes.test_heads import ANCHORS, CLASSES, FromPixels, values
from tests.tiny import tiny_source

pytest.importorskip("coremltools")
pytestmark = pytest.mark.converters

MODEL = Path("Data/com.apple.CoreML/model.mlmodel")
NAMES = ("background", "a", "b", 'c "<d>"', "größer", "e")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Export `FixedBoxes` in float16, verified."""
    options = ExportOptions("coreml", head="detector")
    return export_artifact(dense_source(FixedBoxes()), options, tmp_path_factory.mktemp("fixed"))


def changed(artifact: Artifact, folder: Path, change: Callable[[Any], object]) -> Artifact:
    """Return a copy whose ``Model`` message ``change`` has changed."""
    path = folder / artifact.path.name
    shutil.copytree(artifact.path, path)
    message = read_model(path / MODEL)
    change(message)
    (path / MODEL).write_bytes(message.SerializeToString())
    return Artifact(path, artifact.manifest)


def test_a_detector_is_verified_and_run_by_name(
    exported: Artifact, run: Callable[..., Finished], tmp_path: Path
) -> None:
    manifest = exported.manifest
    assert manifest.parity is not None
    assert (manifest.parity.passed, manifest.parity.top1_agreement) == (True, 1.0)
    assert manifest.details["head"] == "detector"
    assert manifest.inputs[0].dtype == "uint8"
    described = runtime_for("coreml").describe(exported.path)
    assert [one.name for one in described.inputs] == ["image"]
    assert described.outputs == (
        TensorSpec("confidence", (1, 200, 80), "float32"),
        TensorSpec("coordinates", (1, 200, 4), "float32"),
    )
    assert [one.shape for one in manifest.outputs] == [one.shape for one in described.outputs]
    assert runtime_for("coreml").operators(exported.path)["NonMaximumSuppression"] == 1
    Image.new("RGB", (100, 50)).save(tmp_path / "image.png")
    done = run("run", exported.path, tmp_path / "image.png", "-o", tmp_path, "--json")
    car, horse = done.json["results"][0]["objects"]
    assert (car["label"], horse["label"]) == ("car", "horse")
    assert car["box"] == pytest.approx([60, 25, 100, 50], abs=0.2)


def test_a_package_for_ios_holds_the_whole_pipeline(exported: Artifact, tmp_path: Path) -> None:
    package = build(exported.path, "ios", tmp_path / "package", 1)
    golden = json.loads((package.folder / ios.GOLDEN / RECORD).read_text())
    confidence, coordinates = (one["values"] for one in golden["outputs"])
    assert (len(confidence), len(coordinates)) == (2 * 80, 2 * 4)  # a car and a horse
    assert coordinates[:4] == pytest.approx([0.8, 0.75, 0.4, 0.5], abs=1e-3)
    stated = json.loads((package.folder / "Sources/Resources/contract.json").read_text())
    assert stated["labels"] == [*(exported.manifest.labels or ())]
    assert (package.folder / "Sources/Resources" / exported.path.name / MODEL).is_file()


def test_coremltools_reads_what_vision_looks_for(exported: Artifact) -> None:
    with quiet_coremltools() as coremltools:
        spec = coremltools.models.MLModel(str(exported.path), skip_model_load=True).get_spec()
    assert [stage.WhichOneof("Type") for stage in spec.pipeline.models] == [
        "mlProgram",
        "nonMaximumSuppression",
    ]
    first, last = spec.pipeline.models
    described = spec.description
    assert [(one.name, one.type.isOptional) for one in described.input] == [
        ("image", False),
        ("iouThreshold", True),
        ("confidenceThreshold", True),
    ]
    assert described.input[0].type.WhichOneof("Type") == "imageType"
    assert [one.name for one in described.output] == ["confidence", "coordinates"]
    suppression = last.nonMaximumSuppression
    labels = [*suppression.stringClassLabels.vector]
    assert labels == [*(exported.manifest.labels or ())][1:]
    assert '"background", "person"' in described.metadata.userDefined["labels"]
    assert (suppression.iouThreshold, suppression.confidenceThreshold) == (0.5, 0.01)
    # Core ML's own check of such a model, which Linux lacks: equal types, float32 since iOS 14,
    # every input named by the message, no shape beside a range, as many columns as labels
    arrays = [one.type.multiArrayType for one in (*last.description.input[:2], *described.output)]
    assert len({array.dataType for array in arrays}) == 1
    assert last.specificationVersion == first.specificationVersion >= 5
    assert {one.name for one in last.description.input} == {
        suppression.confidenceInputFeatureName,
        suppression.coordinatesInputFeatureName,
        suppression.iouThresholdInputFeatureName,
        suppression.confidenceThresholdInputFeatureName,
    }
    assert [*last.description.input[:2]] == [*first.description.output]
    for array, columns in zip(arrays[2:], (len(labels), 4), strict=True):
        assert not array.shape
        bounds = [(one.lowerBound, one.upperBound) for one in array.shapeRange.sizeRanges]
        assert bounds == [(0, 200), (columns, columns)]


@pytest.mark.parametrize(
    "change",
    [
        lambda message: setattr(
            message.pipeline.models[1].nonMaximumSuppression, "iouThreshold", 1.0
        ),
        lambda message: setattr(
            message.pipeline.models[1].nonMaximumSuppression, "confidenceThreshold", 0.999995
        ),
    ],
    ids=["keeps more", "keeps less"],
)
def test_another_suppression_disagrees(
    change: Callable[[Any], None], exported: Artifact, tmp_path: Path
) -> None:
    other = changed(exported, tmp_path, change)
    source = with_head(dense_source(FixedBoxes()), "detector")
    inputs = usual_inputs(source.inputs)[:2]
    assert verify_against(Subject.of(exported), source, inputs).passed
    parity = verify_against(Subject.of(other), source, inputs)
    assert not parity.passed
    assert parity.top1_agreement < 1


def test_another_network_disagrees_before_the_suppression(exported: Artifact) -> None:
    model = FixedBoxes()
    model.boxes[0, 1] += 0.02  # of the horse that is suppressed
    source = with_head(dense_source(model), "detector")
    parity = verify_against(Subject.of(exported), source, usual_inputs(source.inputs)[:2])
    assert (parity.passed, parity.top1_agreement) == (False, 1.0)


@pytest.fixture(scope="module")
def choosing(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Export `FromPixels` in float32, with names."""
    source = dataclasses.replace(dense_source(FromPixels()), labels=NAMES)
    options = ExportOptions("coreml", precision="fp32", head="detector", verify=False)
    return export_artifact(source, options, tmp_path_factory.mktemp("choosing"))


def run_on(choosing: Artifact, kinds: int | None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return PyTorch's confidence and coordinates of `values`, and what the file gives."""
    image = np.zeros((1, 3, 64, 64), np.float32)
    image.reshape(-1)[: ANCHORS * (CLASSES + 4)] = values(kinds).reshape(-1)
    pixels = np.round(image * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    with torch.inference_mode():
        taken = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255)
        followed = VisionBoxes(FromPixels())(taken)
    session = runtime_for("coreml").load(choosing.path, threads=1)
    return [one.numpy() for one in followed], session.run(pixels)


def test_the_pipeline_keeps_what_the_decoder_keeps(choosing: Artifact) -> None:
    (rows, centers), (confidence, coordinates) = run_on(choosing, None)
    rows, centers = rows[0], centers[0]
    wanted = decode_best_classes(rows, read_rows(rows, centers).boxes)
    count = len(wanted)
    assert 20 < count < ANCHORS
    assert (confidence[0].max(axis=-1) > 0).sum() == count
    np.testing.assert_allclose(confidence[0, :count], rows[wanted], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(coordinates[0, :count], centers[wanted], rtol=1e-6)
    found = read_rows(confidence[0], coordinates[0])
    assert found.classes.tolist() == (rows[wanted].argmax(axis=-1) + 1).tolist()
    same = found.classes[:, None] == found.classes[None]
    apart = np.triu(overlaps(found.boxes[:, None], found.boxes[None]) * same, 1)
    assert apart.max() <= 0.5 + 1e-6


def test_of_equal_rows_and_overlaps_the_pipeline_keeps_rightly(choosing: Artifact) -> None:
    before, kept = run_on(choosing, 4)
    assert (kept[0].max(axis=-1) > 0).sum() > 20
    assert rows_parity(*before, kept, "fp32").top1_agreement == 1


class OnMac:
    """Gives fewer rows than there may be, as ``coremltools.models.MLModel`` does on a Mac."""

    def __init__(self, model: str, **options: object) -> None:
        self.path = model

    def predict(self, data: dict[str, Any], state: object = None) -> dict[str, np.ndarray]:
        assert data["image"].size == (64, 64)
        return {"confidence": np.ones((2, 80)), "coordinates": np.ones((2, 4))}


def test_rows_of_core_ml_are_filled_up(exported: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    with quiet_coremltools() as coremltools:
        monkeypatch.setattr(coremltools.models, "MLModel", OnMac)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    image = np.zeros((1, 64, 64, 3), np.uint8)
    outputs = runtime_for("coreml").load(exported.path, threads=1).run(image)
    assert [one.shape for one in outputs] == [(1, 200, 80), (1, 200, 4)]
    assert [one.sum() for one in outputs] == [160, 8]
    stages = StagesSession(exported.path).run(image)
    assert [one.shape[1] for one in stages] == [3, 3, 200, 200]
    assert stages[2].sum() == 160


def test_without_a_limit_every_anchor_may_be_kept(exported: Artifact, tmp_path: Path) -> None:
    path = changed(exported, tmp_path, _keeps(0, -1)).path
    assert [one.shape for one in runtime_for("coreml").describe(path).outputs] == [
        (1, 3, 80),
        (1, 3, 4),
    ]
    confidence, _ = runtime_for("coreml").load(path, threads=1).run(np.zeros((1, 64, 64, 3), "u1"))
    assert (confidence[0].max(axis=-1) > 0).tolist() == [True, True, False]


def test_thresholds_are_inputs(choosing: Artifact) -> None:
    program = load_program(choosing.path)
    assert program.class_labels == [*NAMES[1:]]
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    every = program.predict({"image": image, "iouThreshold": 1.0, "confidenceThreshold": 0.5})
    reached = program.predict({"image": image})["raw_confidence"].max(axis=-1) >= 0.5
    assert 0 < len(every["confidence"]) == min(200, reached.sum())
    with pytest.raises(UsageError, match="'iouThreshold' takes a number of 0 to 1"):
        program.predict({"image": image, "iouThreshold": 2})
    with pytest.raises(UsageError, match="has no input 'other'"):
        program.predict({"image": image, "other": 2})


def _reads_something_else(message: Any) -> None:
    message.pipeline.models[1].nonMaximumSuppression.confidenceInputFeatureName = "other"


def _gives_something_else(message: Any) -> None:
    message.pipeline.models[1].nonMaximumSuppression.confidenceOutputFeatureName = "other"


def _keeps(least: int, most: int) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        for output in message.pipeline.models[1].description.output:
            rows = output.type.multiArrayType.shapeRange.sizeRanges[0]
            rows.lowerBound, rows.upperBound = least, most

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_keeps(5, 4), "its suppression keeps no number of rows"),
        (_keeps(1 << 60, -1), "its suppression keeps no number of rows"),
        (_keeps(0, 1 << 60), "its suppression keeps no number of rows"),
        (lambda model: model.pipeline.models.pop(), "is a pipeline of mlProgram; only one of an"),
        (lambda model: model.pipeline.ClearField("models"), "is a pipeline of nothing; only one"),
        (_reads_something_else, "its suppression reads 'other', which its ML program does not"),
        (_gives_something_else, "its suppression does not describe its outputs"),
        (lambda model: model.description.output.pop(), "it describes other outputs than it has"),
    ],
)
def test_damaged_pipelines_are_refused(
    change: Callable[[Any], object], message: str, exported: Artifact, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=message):
        load_program(changed(exported, tmp_path, change).path)


def _renamed(labels: tuple[str, ...] | None) -> Any:
    return dataclasses.replace(dense_source(FixedBoxes()), labels=labels)


@pytest.mark.parametrize(
    ("source", "format_", "kind", "message"),
    [
        (
            lambda: _renamed(None),
            "coreml",
            LabelsError,
            "the classes of detection have no names; name them, the background first, with",
        ),
        (
            lambda: _renamed(("a", *["b"] * 80)),
            "coreml",
            LabelsError,
            "--head detector gives classes by name, and 'b' is the name of several",
        ),
        (
            tiny_source,
            "coreml",
            UsageError,
            "--head detector is for detection networks; tiny is one for classification",
        ),
        (
            lambda: dense_source(FixedBoxes()),
            "onnx",
            UsageError,
            "onnx files hold no --head detector here",
        ),
    ],
)
def test_what_cannot_be_such_a_detector_is_refused(
    source: Callable[[], Any], format_: str, kind: type[AffnetError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        export_artifact(source(), ExportOptions(format_, head="detector"), tmp_path)
    assert not [*tmp_path.iterdir()]


@pytest.fixture
def fixed() -> list[np.ndarray]:
    """Return confidence and coordinates of `FixedBoxes`, and the rows that are kept of them."""
    with torch.inference_mode():
        raw = [one.numpy() for one in VisionBoxes(FixedBoxes())(torch.zeros(1, 3, 64, 64))]
    kept = [np.zeros((1, 200, one.shape[-1]), np.float32) for one in raw]
    for one, rows in zip(kept, raw, strict=True):
        one[0, :2] = rows[0, [2, 0]]  # the car, and the better horse
    return [*raw, *kept]


def agreement(fixed: list[np.ndarray], *found: np.ndarray, precision: str = "fp32") -> float:
    return rows_parity(*fixed[:2], found, precision).top1_agreement


def test_rows_are_right_if_an_anchor_has_them_and_none_is_missing(fixed: list[np.ndarray]) -> None:
    _, _, confidence, coordinates = fixed
    assert (confidence[0, 0].argmax() + 1, confidence[0, 1].argmax() + 1) == (CAR, HORSE)
    assert agreement(fixed, confidence, coordinates) == 1
    assert agreement(fixed, confidence, coordinates + np.float32(0.01)) == 0
    assert agreement(fixed, confidence, coordinates + np.float32(0.01), precision="fp16") == 1
    assert agreement(fixed, np.roll(confidence, 1, axis=-1), coordinates) == 0
    assert agreement(fixed, confidence[:, :9], coordinates[:, :9]) == 0  # of fewer than 200
    fewer = np.where(np.arange(200)[:, None] < 1, confidence, 0)
    assert agreement(fixed, fewer, coordinates) == pytest.approx(2 / 3)
    confidence[0, 2], coordinates[0, 2] = fixed[0][0, 1], fixed[1][0, 1]  # the worse horse as well
    assert agreement(fixed, confidence, coordinates) == pytest.approx(4 / 5)


def test_rows_below_the_threshold_are_wrong(fixed: list[np.ndarray]) -> None:
    confidence, places, kept, coordinates = fixed
    confidence[0, 1] = confidence[0, 1] * np.float32(5e-3)
    kept[0, 2], coordinates[0, 2] = confidence[0, 1], places[0, 1] = confidence[0, 1], [0.5] * 4
    assert agreement(fixed, kept, coordinates) == pytest.approx(4 / 5)


def test_of_classes_that_are_nearly_as_good_a_file_may_take_either(
    fixed: list[np.ndarray],
) -> None:
    confidence, places, kept, coordinates = fixed
    confidence[0, 0, CAR - 1] = confidence[0, 0, HORSE - 1]  # PyTorch takes the first, the car
    confidence[0, 0] /= confidence[0, 0].sum()
    kept[0, 1], coordinates[0, 1] = confidence[0, 1], places[0, 1]
    assert agreement(fixed, kept, coordinates) == 1  # a horse, which a better one overlaps
    kept[0, 2], coordinates[0, 2] = confidence[0, 0], places[0, 0]
    assert agreement(fixed, kept, coordinates) == 1
    kept[0, 2] = 0
    confidence[0, 0, HORSE - 1] -= np.float32(0.1)
    assert agreement(fixed, kept, coordinates) == pytest.approx(4 / 5)
