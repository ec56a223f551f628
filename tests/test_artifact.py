"""Artifacts and their manifests."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import (
    SCHEMA,
    Artifact,
    Manifest,
    Provenance,
    TensorSpec,
    manifest_path,
)
from affnet.errors import ArtifactError
from affnet.files import content_sha256
from affnet.parity import Parity
from affnet.preprocessing import published

MANIFEST = Manifest(
    model="net",
    format="onnx",
    precision="fp32",
    sha256="",
    inputs=(TensorSpec("image", ("batch", 3, 64, 96), "float32", "NCHW", (0.0, 1.0)),),
    outputs=(TensorSpec("logits", ("batch", 2), "float32"),),
    labels=("a", "b"),
    fft_plan={"8x12": "dense"},
    route="torch.export",
    fallbacks=({"fft": "auto", "route": "other", "reason": "it failed"},),
    details={"opset": 18},
    provenance=Provenance("checkpoint", "/c.pt", "trained", "12", {"ema": False}),
    parameters=10,
    macs=20,
    published={"top1_percent": 70.0},
    tools={"torch": "2"},
    parity=Parity(1e-6, 1e-7, 130.0, 1.0, 5, 1e-4, True),
)


def write(folder: Path, text: str | None = None) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(b"content")
    manifest = dataclasses.replace(MANIFEST, sha256=content_sha256(path))
    manifest_path(path).write_text(manifest.to_json() if text is None else text)
    return path


def changed(**fields: Any) -> str:
    return json.dumps({**json.loads(MANIFEST.to_json()), **fields})


def error_of(path: Path) -> str:
    with pytest.raises(ArtifactError) as error:
        Artifact.open(path)
    return str(error.value)


@pytest.mark.parametrize(
    "manifest",
    [
        MANIFEST,
        dataclasses.replace(MANIFEST, labels=None, parity=None, published=None),
        dataclasses.replace(MANIFEST, fallbacks=(), fft_plan={}),
    ],
)
def test_a_manifest_survives_its_json(manifest: Manifest) -> None:
    text = manifest.to_json()
    assert Manifest.from_json(text) == manifest
    assert text.endswith("}\n")
    assert json.loads(text)["schema"] == SCHEMA == 1


def test_manifests_from_before_tasks_are_those_of_classification() -> None:
    fields = json.loads(MANIFEST.to_json())
    del fields["task"]
    for output in fields["outputs"]:
        del output["class_axis"]
    assert Manifest.from_json(json.dumps(fields)) == MANIFEST
    assert MANIFEST.task == "classification"


@pytest.mark.parametrize("task", ["classification", "segmentation", "detection"])
def test_manifests_from_before_the_pixel_contract_mean_the_published_one(task: str) -> None:
    fields = json.loads(MANIFEST.to_json()) | {"task": task}
    del fields["preprocessing"]
    manifest = Manifest.from_json(json.dumps(fields))
    assert manifest.preprocessing == published(task, (64, 96))
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"crop": [64, 64]}, "preprocessing.crop: it is not the size of the input"),
        ({"resize_to": [64, 90]}, "preprocessing: it cuts out more than there is"),
        ({"std": [1, 0, 1]}, "or divides by 0"),
        ({"interpolation": "area"}, "preprocessing.interpolation: input should be 'bicubic'"),
        ({"antialias": False}, "preprocessing.antialias: input should be true"),
        ({"color_order": "BGR"}, "preprocessing.color_order: input should be 'rgb'"),
    ],
)
def test_a_contract_that_cannot_be_kept_is_no_manifest(change: dict[str, Any], reason: str) -> None:
    contract = asdict(published("classification", (64, 96))) | change
    with pytest.raises(ValueError, match=reason):
        Manifest.from_json(changed(preprocessing=contract))


def test_a_network_without_pictures_has_no_contract(tmp_path: Path) -> None:
    bare = dataclasses.replace(MANIFEST, inputs=(TensorSpec("x", (1, 4), "float32"),))
    fields = json.loads(bare.to_json())
    contract = asdict(published("classification", (64, 96)))
    with pytest.raises(ValueError, match="preprocessing: the input takes no images"):
        Manifest.from_json(json.dumps(fields | {"preprocessing": contract}))
    del fields["preprocessing"]
    artifact = Artifact(tmp_path / "net.onnx", Manifest.from_json(json.dumps(fields)))
    with pytest.raises(ArtifactError, match="takes no pictures"):
        artifact.pixel_contract()


def test_an_unknown_task_is_no_manifest() -> None:
    with pytest.raises(ValueError, match="task: 'cooking' is unknown"):
        Manifest.from_json(changed(task="cooking"))


def test_fields_of_later_versions_are_left_out() -> None:
    assert Manifest.from_json(changed(delegate="npu")) == MANIFEST


def test_dynamic_axes_take_the_batch_and_others_stay() -> None:
    assert MANIFEST.inputs[0].static_shape() == (1, 3, 64, 96)
    assert MANIFEST.inputs[0].static_shape(7) == (7, 3, 64, 96)
    assert TensorSpec("x", (4, 2), "float32").static_shape(7) == (4, 2)


def test_the_manifest_stands_beside_the_artifact() -> None:
    assert manifest_path(Path("a/net.onnx")) == Path("a/net.onnx.manifest.json")


def test_an_artifact_opens_with_its_manifest_and_size(tmp_path: Path) -> None:
    artifact = Artifact.open(write(tmp_path))
    assert artifact.manifest.model == "net"
    assert artifact.file_bytes == 7


def test_a_folder_can_be_an_artifact(tmp_path: Path) -> None:
    path = tmp_path / "net.package"
    (path / "data").mkdir(parents=True)
    (path / "data" / "weights").write_bytes(b"12345")
    manifest = dataclasses.replace(MANIFEST, sha256=content_sha256(path))
    manifest_path(path).write_text(manifest.to_json())
    assert Artifact.open(path).file_bytes == 5
    (path / "data" / "weights").write_bytes(b"12346")
    assert "the file was changed or replaced" in error_of(path)


def test_a_missing_artifact_is_answered_with_how_to_make_one(tmp_path: Path) -> None:
    path = tmp_path / "gone.onnx"
    assert error_of(path) == f"{path} does not exist; make it with: affnet export SOURCE"


def test_an_artifact_without_a_manifest_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    manifest_path(path).unlink()
    assert error_of(path) == (
        f"{path} has no manifest (net.onnx.manifest.json should stand beside it); "
        "copy it along, or export again with: affnet export SOURCE (a file of another tool is "
        "compared by: affnet verify FILE --against SOURCE)"
    )


def test_a_changed_artifact_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(b"Content")
    assert error_of(path) == (
        f"net.onnx.manifest.json does not match {path}: the file was changed or replaced after "
        "the export; export it again."
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1]", "it has no schema number"),
        ("{}", "it has no schema number"),
        ('{"schema": 1, "model": "net"}', "format: field required"),
        (changed(schema=2), "its schema is 2, this version reads 1"),
        ("{", "Expecting property name"),
        ("", "Expecting value"),
        (changed(inputs=5), "inputs: input should be a valid tuple"),
        (changed(inputs=[{"name": "image"}]), "inputs.0.shape: field required"),
        (
            changed(inputs=[{"name": "i", "shape": [], "dtype": "f", "range": []}]),
            "inputs.0.range.0: field required",
        ),
        (changed(parity={"passed": True}), "parity.max_abs_error: field required"),
        (changed(provenance=None), "provenance: "),
        (changed(labels=3), "labels: input should be a valid tuple"),
    ],
)
def test_an_unreadable_manifest_is_told_why(text: str, reason: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    prefix = f"{manifest_path(path)} is not a manifest of affnet: {reason}"
    message = error_of(path)
    assert message.startswith(prefix)
    assert message.endswith("; export the model again.")


def test_a_manifest_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    manifest_path(path).write_bytes(b"\xff\xfe\x00")
    assert "is not a manifest of affnet: 'utf-8' codec" in error_of(path)
